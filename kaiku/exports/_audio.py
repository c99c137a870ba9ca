"""Samples as the 16-bit files that an export is made of."""

import io
import wave
from pathlib import Path

import numpy as np

LIBRARIES = ("soundfile",)
STEPS = 1 << 15


def levels_of(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """float32 [samples] -> int16 [samples] and the gain in dB that was needed: 0 where they fit as they are.

    What was decoded from 16 bits comes back exactly. Samples beyond full scale are turned down together.
    """
    levels = np.rint(np.asarray(samples, np.float64) * STEPS)
    if not len(levels) or (levels.max() < STEPS and levels.min() >= -STEPS):
        return levels.astype(np.int16), 0.0
    # To the lower hundredth of a dB, so that the figure that is told is what was done.
    peak = float(np.abs(samples).max()) * STEPS / (STEPS - 1)
    gain_db = float(-np.ceil(2000 * np.log10(peak)) / 100)
    return np.rint(np.asarray(samples, np.float64) * 10 ** (gain_db / 20) * STEPS).astype(np.int16), gain_db


def write_wav(path: Path, levels: np.ndarray, sample_rate: int) -> None:
    """A mono 16-bit wav file of int16 [samples]; its folder is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:  # x: two clips of one name would be a fault, not a file
        _write(file, levels, sample_rate)


def wav_bytes(levels: np.ndarray, sample_rate: int) -> bytes:
    """The same as bytes."""
    file = io.BytesIO()
    _write(file, levels, sample_rate)
    return file.getvalue()


def flac_bytes(levels: np.ndarray, sample_rate: int) -> bytes:
    """A mono 16-bit FLAC file of int16 [samples]."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, levels, sample_rate, subtype="PCM_16", format="FLAC")
    return file.getvalue()


def _write(file, levels: np.ndarray, sample_rate: int) -> None:
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, sample_rate, 0, "NONE", ""))
        wav.writeframes(levels.astype("<i2").tobytes())
