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
        if self.max_s * 1000 < 4 * self.margin_ms + self.max_pause_ms:
            raise ValueError(f"max_s {self.max_s} leaves no room for two margins and a pause of max_pause_ms")
        return self

    def lengths(self, sample_rate: int) -> Lengths:
        """The lengths in samples."""
        shortest, longest, margin, pause, longest_pause = (
            round(seconds * sample_rate)
            for seconds in (self.min_s, self.max_s, self.margin_ms / 1e3, self.pause_ms / 1e3, self.max_pause_ms / 1e3)
        )
        return Lengths(shortest, longest, margin, pause, longest_pause)


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
        cutter = Cutter(self.settings.lengths(rate), history.quietest)
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
            history.forget(cutter.needed_from(at(detector.settled)))
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
        hops = (end - start) // self._hop
        if hops < self._quiet:
            return (start + end) // 2
        samples = self.read(start, start + hops * self._hop).astype(np.float64)
        power = np.square(samples).reshape(hops, self._hop).sum(axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(power, self._quiet).sum(axis=1)
        return start + int(np.argmin(windows)) * self._hop + self._quiet * self._hop // 2


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
