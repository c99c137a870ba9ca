"""From a recording to clips, in one pass and in memory that does not grow with its length."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from kaiku.audio.cutting import Cutter, Lengths
from kaiku.audio.decode import LOSSLESS, AudioStream, mono, open_audio, probe
from kaiku.audio.flac import encode_flac
from kaiku.audio.resample import StreamResampler
from kaiku.audio.vad import FRAME, FRAME_MS, SAMPLE_RATE, SpanDetector, SpeechProbability, SpeechSettings

LIBRARIES = ("soundfile", "av", "soxr", "silero-vad")
QUIET_S = 0.06  # what a cut needs: the length of a stop closure
HOP_S = 0.01
NEARLY = 2.0  # times the least power, 3 dB: as good, so that clips do not take more silence than they need
QUIET = 10**4.5  # times weaker than speech: quiet in any case
LOUD = 10**3.0  # times weaker than speech, and louder: not quiet in any case
BESIDE_S = 0.5  # of speech next to a cut that it is compared with


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
        "stand next to speech",
    )
    pause_ms: float = Field(
        400, ge=0, description="ms; a pause this long ends a clip of at least min_s: mostly the end of a sentence"
    )
    max_pause_ms: float = Field(
        1500, ge=0, description="ms; no clip holds a longer pause, since a voice model would learn to fall silent"
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
        if self.max_pause_ms < self.margin_ms + self.reach_ms + 1000 * QUIET_S:
            raise ValueError(
                f"max_pause_ms {self.max_pause_ms} is less than margin_ms {self.margin_ms}, reach_ms {self.reach_ms} "
                f"and {1000 * QUIET_S:.0f}: a cut would be sought where the next clip may be"
            )
        if self.max_s * 1000 < 4 * self.margin_ms + self.max_pause_ms:
            raise ValueError(f"max_s {self.max_s} leaves no room for two margins and a pause of max_pause_ms")
        return self

    def lengths(self, sample_rate: int) -> Lengths:
        """The lengths in samples."""
        seconds = (self.min_s, self.max_s)
        milliseconds = (self.margin_ms, self.pause_ms, self.max_pause_ms, self.reach_ms)
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


class Segmentation:
    """One pass over a recording: iterate once for the clips; the recording's own figures are complete after that.

    Memory: a block, the model's waiting samples, and the audio since the last decided cut (`most_held`, in samples).
    """

    def __init__(self, path: Path | str, settings: SegmentSettings):
        self.path = Path(path)
        self.settings = settings
        self.sample_rate = 0
        self.channels = 0
        self.samples = 0
        self.peak = 0.0
        self.most_held = 0

    def __iter__(self) -> Iterator[Clip]:
        whole = self.settings.mode == "identity" or (
            self.settings.mode == "auto" and probe(self.path).duration_s <= self.settings.max_s
        )
        with open_audio(self.path) as audio:
            self.sample_rate, self.channels = audio.sample_rate, audio.channels
            yield from self._whole(audio) if whole else self._cut(audio)

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
        rate = audio.sample_rate
        history = History(rate)
        cutter = Cutter(self.settings.lengths(rate), history.quietest, history.edge)
        resampler, model = StreamResampler(rate, SAMPLE_RATE), SpeechProbability()
        detector = SpanDetector(self.settings, longest=round(self.settings.max_s * 1000 / FRAME_MS))

        def at(frame: int) -> int:
            return min(round(frame * FRAME * rate / SAMPLE_RATE), self.samples)

        def clips(cuts: list[tuple[int, int]]) -> Iterator[Clip]:
            for start, end in cuts:
                yield clip_of(history.read(start, end), start, rate, audio.bits)

        for samples in self._mono_blocks(audio):
            history.append(samples)
            for start, end in detector.push(model.push(resampler.push(samples))):
                yield from clips(cutter.add((at(start), at(end))))
            yield from clips(cutter.advance(at(detector.settled)))
            self.most_held = max(self.most_held, history.held)
            history.forget(cutter.needed_from(at(detector.settled)) - history.window)
        rest = np.concatenate([model.push(resampler.finish()), model.finish()])
        for start, end in detector.push(rest) + detector.finish():
            yield from clips(cutter.add((at(start), at(end))))
        yield from clips(cutter.finish(self.samples))


class History:
    """The latest samples of a recording, read by their position in it."""

    def __init__(self, sample_rate: int):
        self._blocks: deque[np.ndarray] = deque()
        self._first = 0
        self._hop = max(1, round(HOP_S * sample_rate))
        self._quiet = round(QUIET_S / HOP_S)
        self.window = self._quiet * self._hop
        self.held = 0

    def append(self, samples: np.ndarray) -> None:
        self._blocks.append(samples)
        self.held += len(samples)

    def forget(self, before: int) -> None:
        """Drop blocks that end before a sample."""
        while self._blocks and self._first + len(self._blocks[0]) <= before:
            gone = len(self._blocks.popleft())
            self._first += gone
            self.held -= gone

    def read(self, start: int, end: int) -> np.ndarray:
        """float32 [end - start]."""
        parts, at = [], self._first
        if start < at or end > at + self.held:
            raise IndexError(f"samples {start} to {end} are not among those held, {at} to {at + self.held}")
        for block in self._blocks:
            if at < end and at + len(block) > start:
                parts.append(block[max(0, start - at) : end - at])
            at += len(block)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def quietest(self, start: int, end: int) -> int:
        """Middle of the 60 ms of least power between two samples; the middle of both if they are closer than that."""
        if (end - start) // self._hop < self._quiet:
            return (start + end) // 2
        return start + int(np.argmin(self._powers(start, end))) * self._hop + self.window // 2

    def edge(self, span: tuple[int, int], near: int, far: int) -> int:
        """Where a clip ends whose first or last span of speech is `span`: the quiet place nearest to `near`.

        Quiet are 60 ms that are nearly the quietest between `far` and a third of the margin, or QUIET times weaker than
        the speech beside. Where the recording's own end is that near and nothing is quiet, it is the place: a recording
        that begins within a word does so before the detector has heard it.
        """
        half, outward = self.window // 2, 1 if near >= span[1] else -1
        speech = span[1] if outward > 0 else span[0]
        last = self._first + self.held - half if outward > 0 else self._first + half  # a whole window is held
        reaches_end = (far - last) * outward > 0  # only at the recording's ends: elsewhere more than `far` is held
        far = last if reaches_end else far
        inner = speech + (near - speech) // 3
        powers = self._powers(inner - outward * half, far + outward * half)
        beside = self._powers(speech, speech - outward * min(span[1] - span[0], round(BESIDE_S / HOP_S) * self._hop))
        loudest = beside.max(initial=0)
        if not len(powers) or (reaches_end and powers.min() > loudest / LOUD):
            return near if not reaches_end else max(0, last + outward * half)
        good = np.flatnonzero(powers <= max(NEARLY * powers.min(), loudest / QUIET))
        wanted = abs(near - inner) // self._hop
        return inner + outward * self._hop * int(good[np.argmin(abs(good - wanted))])

    def _powers(self, start: int, end: int) -> np.ndarray:
        """Power of the windows of 60 ms, every 10 ms from `start` on towards `end`, which may lie before it."""
        hops = abs(end - start) // self._hop
        if hops < self._quiet:
            return np.zeros(0)
        length = hops * self._hop
        samples = self.read(start, start + length) if end > start else self.read(start - length, start)[::-1]
        power = np.square(samples, dtype=np.float64).reshape(hops, self._hop).sum(axis=1)
        return np.lib.stride_tricks.sliding_window_view(power, self._quiet).sum(axis=1)


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
