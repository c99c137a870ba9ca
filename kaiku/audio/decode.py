"""Streamed decoding of any common audio format, equal sample for sample however much of it is read at once.

wav, aiff, flac, Ogg (Vorbis, Opus) and mp3 whose tag states their length come through libsndfile; other mp3, m4a, aac,
webm and the rest through libav.
A cut-off file is refused where the file says how long it should be: wav, aiff, au, flac, mp4, webm, mp3 with a length
tag.
Ogg, raw aac and mp3 without tag do not say: of those, what is there is the recording.
The last bits of lossy formats depend on the processor's vector unit; on one kind of machine a file has one decoding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiku.audio import faults
from kaiku.audio.decoders import Decoder, open_decoder
from kaiku.errors import DecodeError

LIBRARIES = ("soundfile", "av")
LOSSLESS = frozenset({".wav", ".flac", ".aiff", ".aif"})
SUFFIXES = LOSSLESS | {".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma", ".amr", ".caf"}
LENGTH_TOLERANCE_S = 0.1  # what a stated length may count in: delay and padding of aac, the delay of an mp3 decoder


@dataclass(frozen=True)
class AudioInfo:
    """Shape of a recording. `frames`: samples per channel; `bits`: 24 where the source holds more than 16, else 16."""

    sample_rate: int
    channels: int
    frames: int
    bits: int

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate


class AudioStream:
    """An open recording: one pass of blocks in constant memory. Use as a context manager."""

    def __init__(self, path: Path, decoder: Decoder):
        self.path = path
        self.sample_rate = decoder.sample_rate
        self.channels = decoder.channels
        self.bits = decoder.bits
        self.stated_frames = decoder.frames
        self._decoder = decoder

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks float32 [n, channels] of 65,536 samples, the last one shorter; peaks above 1.0 are kept. One pass.

        Raises DecodeError for damage, NaN or infinity, and at the end for no samples or fewer than the file states.
        """
        came = 0
        for block in self._decoder.blocks():
            if not np.isfinite(block).all():
                at = came + int(np.argmin(np.isfinite(block).all(axis=1)))
                raise DecodeError(
                    f"{self.path}: NaN or infinity at sample {at} ({at / self.sample_rate:.3f} s)",
                    expected="finite samples",
                    remedy="Export the file again from its source.",
                )
            came += len(block)
            yield block
        self._check_length(came)

    def _check_length(self, came: int) -> None:
        if came == 0:
            raise DecodeError(f"{self.path}: 0 samples", expected="audio", remedy=faults.AGAIN)
        stated = self.stated_frames or 0
        if came < stated - LENGTH_TOLERANCE_S * self.sample_rate:
            raise DecodeError(
                f"{self.path}: cut off, {came} samples of the {stated} that its header states",
                expected=f"{stated / self.sample_rate:.2f} s of audio, found {came / self.sample_rate:.2f} s",
                remedy=faults.AGAIN,
            )

    def close(self) -> None:
        self._decoder.close()

    def __enter__(self) -> "AudioStream":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def open_audio(path: Path | str) -> AudioStream:
    """Open a recording for one pass. Raises DecodeError where it is missing, empty or no audio."""
    path = Path(path)
    if not path.is_file():
        raise faults.missing(path)
    if path.stat().st_size == 0:
        raise DecodeError(f"{path}: 0 bytes", expected="an audio file", remedy=faults.AGAIN)
    try:
        return AudioStream(path, open_decoder(path))
    except OSError as error:
        raise faults.unreadable(path, error) from error


def probe(path: Path | str) -> AudioInfo:
    """Rate, channels and length from the header alone where the file states its length, else by decoding it."""
    with open_audio(path) as audio:
        frames = audio.stated_frames
        if frames is None:
            frames = sum(len(block) for block in audio.blocks())
        return AudioInfo(audio.sample_rate, audio.channels, frames, audio.bits)


def read_mono(path: Path | str) -> tuple[np.ndarray, int]:
    """A whole recording as (float32 [samples], sample_rate), the mean of its channels."""
    with open_audio(path) as audio:
        return np.concatenate([mono(block) for block in audio.blocks()]), audio.sample_rate


def mono(block: np.ndarray) -> np.ndarray:
    """Mean of the channels: float32 [n, channels] -> [n]."""
    channels = block.shape[1]
    if channels == 1:
        return block[:, 0]
    total = block[:, 0] + block[:, 1]
    for k in range(2, channels):
        total += block[:, k]
    return total / np.float32(channels)
