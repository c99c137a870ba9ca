"""Power spectra of short frames, and mel bands over them."""

from functools import cache

import numpy as np

LIBRARIES = ("numpy",)


def power_spectra(samples: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Hann-windowed frames of float32 [samples] -> power float32 [frames, size / 2 + 1].

    Scaled so that the bins of a frame sum up to its windowed mean square. Only whole frames; none of a shorter clip.
    """
    if len(samples) < size:
        return np.zeros((0, size // 2 + 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    spectra = np.fft.rfft(frames * _window(size))  # [frames, bins] complex64
    power = np.square(spectra.real)
    power += np.square(spectra.imag)
    power *= _scale(size)
    return power


def mel_filters(bands: int, size: int, sample_rate: int, lowest_hz: float, highest_hz: float) -> np.ndarray:
    """Triangular bands on Slaney's mel scale (Auditory Toolbox, 1998), of equal area: float32 [bins, bands]."""
    edges_hz = _mel_to_hz(np.linspace(_hz_to_mel(lowest_hz), _hz_to_mel(highest_hz), bands + 2))
    bins_hz = np.fft.rfftfreq(size, 1 / sample_rate)[:, None]
    rising = (bins_hz - edges_hz[:-2]) / np.diff(edges_hz)[:-1]
    falling = (edges_hz[2:] - bins_hz) / np.diff(edges_hz)[1:]
    heights = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges_hz[2:] - edges_hz[:-2])
    return heights.astype(np.float32)


def cosine_basis(bands: int, coefficients: int) -> np.ndarray:
    """The orthonormal DCT-II that turns log-mel bands into a cepstrum, without its level: float32 [bands, n]."""
    at = (np.arange(bands) + 0.5) * np.pi / bands
    basis = np.cos(np.outer(at, np.arange(1, coefficients + 1))) * np.sqrt(2 / bands)
    return basis.astype(np.float32)


@cache
def _window(size: int) -> np.ndarray:
    return np.hanning(size + 1)[:-1].astype(np.float32)  # periodic


@cache
def _scale(size: int) -> np.ndarray:
    twice = np.full(size // 2 + 1, 2.0)
    twice[0] = 1
    if size % 2 == 0:
        twice[-1] = 1
    return (twice / (size * np.sum(np.square(_window(size), dtype=np.float64)))).astype(np.float32)


_LINEAR_BELOW_HZ, _HZ_PER_MEL, _OCTAVE = 1000.0, 200 / 3, 27 / np.log(6.4)


def _hz_to_mel(hz: float) -> float:
    linear = hz / _HZ_PER_MEL
    return linear if hz < _LINEAR_BELOW_HZ else _LINEAR_BELOW_HZ / _HZ_PER_MEL + _OCTAVE * np.log(hz / _LINEAR_BELOW_HZ)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    knee = _LINEAR_BELOW_HZ / _HZ_PER_MEL
    return np.where(mel < knee, mel * _HZ_PER_MEL, _LINEAR_BELOW_HZ * np.exp((mel - knee) / _OCTAVE))
