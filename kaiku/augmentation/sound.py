"""A clip made of a clip: speed, tempo, pitch, noise.

Lengths are exact: n samples become round(n / speed), then round(that / tempo). The noise of a clip is drawn by a hash
of its content, so that a clip has the same noise whatever else is there, and a renamed one keeps it.
"""

import hashlib
from collections.abc import Callable

import numpy as np

from kaiku.audio.offset import offset_of
from kaiku.audio.resample import resample
from kaiku.augmentation.settings import DerivedSettings

LIBRARIES = ("librosa", "numpy", "soxr")

FRAME_S = 0.02
SPEECH_RANGE_DB = 30.0
"""A frame counts as speech down to so much below the loud ones, the 95th percentile of all."""

Recorded = Callable[[int, int, np.random.Generator], np.ndarray]
"""(samples, sample_rate, generator) -> float32 [samples] of recorded noise."""


def augment(
    samples: np.ndarray, sample_rate: int, own: DerivedSettings, drawn: str, recorded: Recorded | None = None
) -> np.ndarray:
    """float32 [samples] -> float32 [samples], which may go beyond full scale.

    drawn: what stands for the clip where noise is drawn. recorded: gives the noise, where it is not generated.
    """
    if own.speed != 1:
        wanted = length(len(samples), own.speed)
        samples = _fitted(resample(samples, sample_rate * own.speed, sample_rate), wanted)
    if own.tempo != 1:
        import librosa

        wanted = length(len(samples), own.tempo)
        samples = _fitted(librosa.effects.time_stretch(_padded(samples), rate=own.tempo), wanted)
    if own.pitch_semitones:
        import librosa

        moved = librosa.effects.pitch_shift(
            _padded(samples), sr=sample_rate, n_steps=own.pitch_semitones, res_type="soxr_hq"
        )
        samples = _fitted(moved, len(samples))
    if own.noise is not None:
        generator = np.random.Generator(np.random.PCG64(_seed(own.noise.salt, drawn)))
        if recorded is not None:
            noise = recorded(len(samples), sample_rate, generator)
        else:
            noise = coloured_noise(own.noise.colour, len(samples), generator)
        samples = with_noise(samples, noise, sample_rate, own.noise.snr_db)
    return np.ascontiguousarray(samples, np.float32)


def length(samples: int, factor: float) -> int:
    """Samples of a clip after a change of speed or tempo, one at least."""
    return max(1, round(samples / factor))


def derived_length(samples: int, own: DerivedSettings) -> int:
    """Samples of a clip after all changes."""
    return length(length(samples, own.speed), own.tempo)


def with_noise(samples: np.ndarray, noise: np.ndarray, sample_rate: int, snr_db: float) -> np.ndarray:
    """The sum in which speech lies `snr_db` above noise; digital silence has no level and stays as it is."""
    speech, own = speech_power(samples, sample_rate), float(np.mean(np.square(noise, dtype=np.float64)))
    if not speech or not own:
        return samples
    gain = np.sqrt(speech / own / 10 ** (snr_db / 10))
    return (samples + gain * noise.astype(np.float64)).astype(np.float32)


def speech_power(samples: np.ndarray, sample_rate: int) -> float:
    """Mean power of the frames of 20 ms that hold speech by their level, about the mean; 0 for digital silence."""
    samples = samples - offset_of(samples)
    size = max(1, round(FRAME_S * sample_rate))
    whole = len(samples) // size * size or len(samples)
    power = np.mean(np.square(samples[:whole].reshape(-1, min(size, whole)), dtype=np.float64), axis=1)
    loud = float(np.percentile(power, 95)) or float(power.max())
    return float(power[power >= loud / 10 ** (SPEECH_RANGE_DB / 10)].mean()) if loud else 0.0


def described(own: DerivedSettings) -> str:
    """What was done to a clip, in a few words."""
    said = [f"{name} {getattr(own, name):g}" for name in ("speed", "tempo") if getattr(own, name) != 1]
    said += [f"pitch {own.pitch_semitones:+g} st"] if own.pitch_semitones else []
    if own.noise is not None:
        kind = "recorded" if own.noise.folder is not None else own.noise.colour
        said += [f"{kind} noise at {own.noise.snr_db:g} dB"]
    return ", ".join(said)


def coloured_noise(colour: str, samples: int, generator: np.random.Generator) -> np.ndarray:
    """Noise float64 [samples]: white, or pink (3 dB less an octave)."""
    white = generator.standard_normal(samples)
    if colour == "white" or samples < 2:
        return white
    spectrum = np.fft.rfft(white)
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, samples)


def _seed(salt: str, drawn: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{salt}\0{drawn}".encode()).digest(), "big")


_SHORTEST = 2048
"""Samples that librosa's transform takes at least."""


def _padded(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, (0, max(0, _SHORTEST - len(samples))))


def _fitted(samples: np.ndarray, wanted: int) -> np.ndarray:
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))
