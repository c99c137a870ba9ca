"""From a recording to clips, in memory that does not grow with its length.

One pass; two where hum is to be filtered out, since only the whole recording tells whether it hums.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from pydantic import Field, model_validator

from kaiku.audio.cutting import Cutter, Lengths
from kaiku.audio.decode import LOSSLESS, AudioStream, mono, open_audio, probe
from kaiku.audio.flac import encode_flac
from kaiku.audio.history import QUIET_S, History
from kaiku.audio.hum import Hum, HumMeter, hz
from kaiku.audio.resample import StreamResampler
from kaiku.audio.vad import FRAME, FRAME_MS, SAMPLE_RATE, SpanDetector, SpeechProbability, SpeechSettings

LIBRARIES = ("soundfile", "av", "soxr", "silero-vad")


class SegmentSettings(SpeechSettings):
    """How recordings become clips."""

    mode: Literal["auto", "vad", "identity"] = Field(
        "auto",
        description="vad: cut in pauses; identity: the whole file is one clip; auto: identity where the layout's "
        "recordings are clips already, else vad (called without a layout: identity up to max_s)",
    )
    min_s: float = Field(
        1.0, gt=0, description="s; shorter clips join a neighbour unless the pause between is longer than max_pause_ms"
    )
    max_s: float = Field(
        15.0, gt=0, description="s; no clip is longer: attention and memory in training grow with the longest clip"
    )
    margin_ms: float = Field(
        150, ge=0, description="ms kept around speech: fricatives and breaths at its edges lie below the detector"
    )
    reach_ms: float = Field(
        500,
        ge=0,
        description="ms beyond the margin within which a cut may move to a quieter place: breath and reverberation "
        "stand next to speech; within max_pause_ms",
    )
    pause_ms: float = Field(
        400, ge=0, description="ms; a pause this long ends a clip of at least min_s: mostly the end of a sentence"
    )
    max_pause_ms: float = Field(
        1500, ge=0, description="ms; no clip holds a longer pause, since a voice model would learn to fall silent"
    )

    notch_hum: bool = Field(
        False,
        description="filter mains hum out of the clips of those recordings in which it is found. Off by default: the "
        "filter also takes what a voice has at these frequencies, which nothing brings back, and clips that could be "
        "referenced are stored. Between speech hum is measured either way, so that a dataset can leave it out",
    )
    notch_above_db: float = Field(
        13,
        gt=0,
        description="dB above their neighbourhood from which harmonics of the mains count as hum: clean recordings "
        "stay below 10, rarely 12",
    )
    notch_q: float = Field(
        60, ge=60, le=1000, description="frequency over width of each notch; wider ones than 60 are heard in the voice"
    )

    @model_validator(mode="after")
    def _possible(self) -> "SegmentSettings":
        if self.max_s < 2 * self.min_s:
            raise ValueError(
                f"max_s {self.max_s} is less than twice min_s {self.min_s}: a long clip could not be split in two"
            )
        if self.max_pause_ms < max(self.pause_ms, 2 * self.margin_ms):
            raise ValueError(
                f"max_pause_ms {self.max_pause_ms} is less than pause_ms {self.pause_ms} "
                f"or twice margin_ms {self.margin_ms}"
            )
        if self.max_s * 1000 < 4 * self.margin_ms + self.max_pause_ms:
            raise ValueError(f"max_s {self.max_s} leaves no room for two margins and a pause of max_pause_ms")
        return self

    def lengths(self, sample_rate: int) -> Lengths:
        """The lengths in samples."""
        seconds = (self.min_s, self.max_s)
        # Beyond the longest pause the next clip may be, and its samples have not come yet.
        reach_ms = max(0, min(self.reach_ms, self.max_pause_ms - self.margin_ms - 1000 * QUIET_S))
        milliseconds = (self.margin_ms, self.pause_ms, self.max_pause_ms, reach_ms)
        return Lengths(*(round(s * sample_rate) for s in (*seconds, *(ms / 1000 for ms in milliseconds))))


@dataclass(frozen=True)
class Clip:
    """Samples `start` to `end` of a recording. `flac`: mono, None where the recording's file itself is the clip.

    `peak` is that of the source. A peak above 1.0 does not fit into FLAC: gain_db < 0 is laid on the stored samples,
    and `decode_flac` takes it off.
    """

    start: int
    end: int
    sample_rate: int
    peak: float
    gain_db: float
    flac: bytes | None = field(repr=False)

    @property
    def start_s(self) -> float:
        return self.start / self.sample_rate

    @property
    def end_s(self) -> float:
        return self.end / self.sample_rate


@dataclass(frozen=True)
class Segmented:
    """A recording and its clips. `peak`: of the mono mix; clips and `left_out_s` together last recording_s."""

    recording_s: float
    sample_rate: int
    channels: int
    peak: float
    left_out_s: float
    clips: tuple[Clip, ...]


def segment(path: Path | str, settings: SegmentSettings) -> Segmented:
    """The clips of a recording, all held in memory: about 150 MB per hour of FLAC at 44.1 kHz (see `Segmentation`).

    Raises DecodeError. A recording without speech has no clips.
    """
    return Segmentation(path, settings).collect()


def identity(path: Path | str) -> Segmented:
    """One clip: the whole file. Lossless files are referenced (`flac` None); lossy ones are decoded to FLAC."""
    return Segmentation(path, SegmentSettings(mode="identity")).collect()


class Filter(Protocol):
    """Takes a recording's samples in blocks and gives as many."""

    def push(self, samples: np.ndarray) -> np.ndarray: ...


MakeNotch = Callable[[int, Sequence[float], float], Filter]  # of the sample rate, frequencies in Hz, and Q


class Segmentation:
    """A recording on its way to clips: iterate once for them; its own figures are complete after that.

    notch: what filters hum out (`kaiku.audio.notch.Notch`), needed where the settings ask for it.
    Memory: a block, the model's waiting samples, and the audio since the last decided cut (`most_held`, in samples).
    """

    def __init__(self, path: Path | str, settings: SegmentSettings, notch: MakeNotch | None = None):
        if settings.notch_hum and notch is None:
            raise ValueError("notch_hum needs a notch")
        self.path = Path(path)
        self.settings = settings
        self.sample_rate = 0
        self.channels = 0
        self.samples = 0
        self.peak = 0.0
        self.most_held = 0
        self.hum: Hum | None = None
        self.treatment = ""
        self._notch = notch

    def __iter__(self) -> Iterator[Clip]:
        whole = self.settings.mode == "identity" or (
            self.settings.mode == "auto" and probe(self.path).duration_s <= self.settings.max_s
        )
        with open_audio(self.path) as audio:
            if self.settings.notch_hum:
                cuts = [cut for cut, _ in self._cuts(audio)]
            else:
                yield from self._whole(audio) if whole else self._cut(audio)
                return
        frequencies = self.hum.harmonics if self.hum and self.hum.is_above(self.settings.notch_above_db) else ()
        with open_audio(self.path) as audio:
            if whole and not frequencies:
                yield from self._whole(audio)
            else:
                yield from self._filtered(audio, [(0, self.samples)] if whole else cuts, frequencies)

    def collect(self) -> Segmented:
        """All clips at once."""
        clips = tuple(self)
        left_out = self.samples - sum(clip.end - clip.start for clip in clips)
        return Segmented(
            recording_s=self.samples / self.sample_rate,
            sample_rate=self.sample_rate,
            channels=self.channels,
            peak=self.peak,
            left_out_s=left_out / self.sample_rate,
            clips=clips,
        )

    def _mono_blocks(self, audio: AudioStream) -> Iterator[np.ndarray]:
        self.sample_rate, self.channels = audio.sample_rate, audio.channels
        self.samples, self.peak = 0, 0.0
        for block in audio.blocks():
            samples = mono(block)
            self.samples += len(samples)
            self.peak = max(self.peak, peak_of(samples))
            yield samples

    def _whole(self, audio: AudioStream) -> Iterator[Clip]:
        if self.path.suffix.lower() in LOSSLESS:
            for _ in self._mono_blocks(audio):
                pass
            yield Clip(0, self.samples, audio.sample_rate, self.peak, 0.0, None)
        else:
            samples = np.concatenate(list(self._mono_blocks(audio)))
            yield clip_of(samples, 0, audio.sample_rate, audio.bits)

    def _cut(self, audio: AudioStream) -> Iterator[Clip]:
        for (start, end), history in self._cuts(audio):
            yield clip_of(history.read(start, end), start, audio.sample_rate, audio.bits)

    def _cuts(self, audio: AudioStream) -> Iterator[tuple[tuple[int, int], History]]:
        """First sample of each clip and the one behind its last, while the history holds them."""
        rate = audio.sample_rate
        history, hum = History(rate), HumMeter(self.settings.notch_above_db)
        cutter = Cutter(self.settings.lengths(rate), history.quietest, history.edge)
        resampler, model = StreamResampler(rate, SAMPLE_RATE), SpeechProbability()
        detector = SpanDetector(self.settings, longest=round(self.settings.max_s * 1000 / FRAME_MS))

        def at(frame: int) -> int:
            return min(round(frame * FRAME * rate / SAMPLE_RATE), self.samples)

        def clips(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
            for start, end in spans:
                hum.speech(start * FRAME, end * FRAME)
                yield from cutter.add((at(start), at(end)))

        for samples in self._mono_blocks(audio):
            history.append(samples)
            heard = resampler.push(samples)
            hum.push(heard)
            yield from ((clip, history) for clip in clips(detector.push(model.push(heard))))
            hum.advance(detector.settled * FRAME)
            yield from ((clip, history) for clip in cutter.advance(at(detector.settled)))
            self.most_held = max(self.most_held, history.held)
            history.forget(cutter.needed_from(at(detector.settled)) - history.window)
        heard = resampler.finish()
        hum.push(heard)
        rest = np.concatenate([model.push(heard), model.finish()])
        yield from ((clip, history) for clip in clips(detector.push(rest) + detector.finish()))
        self.hum = hum.finish()
        yield from ((clip, history) for clip in cutter.finish(self.samples))

    def _filtered(
        self, audio: AudioStream, cuts: Sequence[tuple[int, int]], frequencies: Sequence[float]
    ) -> Iterator[Clip]:
        """Clips at places that are known, with notches at the frequencies if there are any."""
        rate, history = audio.sample_rate, History(audio.sample_rate)
        notch = self._notch(rate, frequencies, self.settings.notch_q) if frequencies else None
        if frequencies:
            self.treatment = f"notch {','.join(map(hz, frequencies))} Hz"
        waiting = list(reversed(cuts))
        for samples in self._mono_blocks(audio):
            history.append(samples if notch is None else notch.push(samples))
            while waiting and waiting[-1][1] <= self.samples:
                start, end = waiting.pop()
                yield clip_of(history.read(start, end), start, rate, audio.bits)
            self.most_held = max(self.most_held, history.held)
            history.forget(waiting[-1][0] if waiting else self.samples)


def clip_of(samples: np.ndarray, start: int, sample_rate: int, bits: int) -> Clip:
    """A clip with its FLAC, turned down where its peak would not fit."""
    peak = peak_of(samples)
    # To the lower hundredth of a dB, so that the figure in the table is exactly what was done.
    gain_db = -np.ceil(2000 * np.log10(peak)) / 100 if peak > 1 else 0.0
    stored = samples * np.float32(10 ** (gain_db / 20)) if gain_db else samples
    flac = encode_flac(stored, sample_rate, "PCM_24" if bits > 16 else "PCM_16")
    return Clip(start, start + len(samples), sample_rate, peak, float(gain_db), flac)


def peak_of(samples: np.ndarray) -> float:
    """Largest absolute sample."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0
