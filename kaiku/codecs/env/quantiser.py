"""The encoder of the env codec in closed form: log band energies choose an envelope, then residual levels of the MDCT.

Frame t looks at the hop before it and at its own hop, never at the future. All arithmetic is float64, so that neither
the length of a clip nor the number of BLAS threads moves a code.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LIBRARIES = ("numpy",)

BANDS = 32
POWER_FLOOR = 1e-10  # of a band's mean power: below the rounding noise of 16-bit audio, so digital silence is one class
TIE = 1e-9  # relative; far above rounding, far below any real difference between codes
BLOCK = 1024  # frames worked on at once


@dataclass(frozen=True)
class Quantiser:
    """Codebooks of one codec: float32 `energies` [K, BANDS], `envelopes` [K, hop], `residuals` [levels - 1, K, hop]."""

    sample_rate: int
    envelope_exponent: float
    energies: np.ndarray
    envelopes: np.ndarray
    residuals: np.ndarray

    @property
    def hop(self) -> int:
        return self.envelopes.shape[1]

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Codes of one clip: `[samples]` -> uint16 `[ceil(samples / hop), levels]`."""
        return in_blocks(self._encode_block, framed(wav, self.hop)).astype(np.uint16)

    def spectrum(self, codes: np.ndarray) -> np.ndarray:
        """MDCT coefficients that codes `[T, levels]` stand for, float32 `[T, hop]`."""
        flat = sum(codebook[codes[:, level]] for level, codebook in enumerate(self.residuals, start=1))
        return (flat * whitening(self.envelopes[codes[:, 0]], self.envelope_exponent)).astype(np.float32)

    def _encode_block(self, frames: np.ndarray) -> np.ndarray:
        codes = [nearest(log_band_energies(frames, self.sample_rate), self.energies)]
        residual = mdct(frames) / whitening(self.envelopes[codes[0]], self.envelope_exponent)
        for codebook in self.residuals:
            codes.append(nearest(residual, codebook))
            residual -= codebook[codes[-1]]
        return np.stack(codes, axis=1)


def whitening(envelopes: np.ndarray, exponent: float) -> np.ndarray:
    """What MDCT frames are divided by before the residual levels, float64 `[T, hop]`."""
    return envelopes.astype(np.float64) ** exponent


def framed(wav: np.ndarray, hop: int) -> np.ndarray:
    """Windows of two hops, `[ceil(samples / hop), 2 * hop]`; frame t ends with samples `[t * hop, (t + 1) * hop)`."""
    frames = -(-len(wav) // hop)
    padded = np.zeros((frames + 1) * hop, np.float32)
    padded[hop : hop + len(wav)] = wav
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]


def in_blocks(function: Callable, frames: np.ndarray) -> np.ndarray:
    """A function of single frames `[T, ...]`, applied block by block, so that an hour of audio fits in memory."""
    return np.concatenate([function(frames[i : i + BLOCK]) for i in range(0, len(frames), BLOCK)])


def mdct(frames: np.ndarray) -> np.ndarray:
    """Orthonormal MDCT with a sine window by one complex FFT, `[T, 2 * hop]` -> float64 `[T, hop]`.

    Princen, Johnson, Bradley (1987): X[k] = sqrt(2 / M) sum_n w[n] x[n] cos(pi / M (n + 1/2 + M / 2) (k + 1/2)).
    """
    before, after = _twiddles(frames.shape[1] // 2)
    return (np.fft.fft(frames * before)[:, : len(after)] * after).real


def imdct(spectrum: np.ndarray) -> np.ndarray:
    """Windowed inverse of each MDCT frame, `[T, hop]` -> float64 `[T, 2 * hop]`; overlap-added they are the audio."""
    before, after = _twiddles(spectrum.shape[1])
    padded = np.zeros((len(spectrum), len(before)), complex)
    padded[:, : len(after)] = spectrum * after
    return (np.fft.fft(padded) * before).real


def _twiddles(hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors before `[2 * hop]` and after `[hop]` the FFT that make it an MDCT; the window stands in the first."""
    n, k = np.arange(2 * hop), np.arange(hop)
    shift = 0.5 + hop / 2
    before = sine_window(hop) * np.exp(-1j * np.pi * n / (2 * hop))
    after = np.sqrt(2 / hop) * np.exp(-1j * np.pi * shift * (k + 0.5) / hop)
    return before, after


def sine_window(hop: int) -> np.ndarray:
    """The sine window of two hops."""
    return np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))


def log_band_energies(frames: np.ndarray, sample_rate: int) -> np.ndarray:
    """log10 of the mean power in BANDS mel-spaced bands of each windowed frame, float64 `[T, BANDS]`; free of phase."""
    size = frames.shape[1]
    power = np.abs(np.fft.rfft(frames * sine_window(size // 2))) ** 2 / size  # [T, hop + 1]
    bands = mel_bands(np.fft.rfftfreq(size, 1 / sample_rate), BANDS)
    return np.log10(np.maximum(power @ bands, POWER_FLOOR))


def mel_bands(frequencies: np.ndarray, bands: int) -> np.ndarray:
    """Triangles spaced evenly in mel from 0 Hz to the highest of `frequencies`, each summing to 1: `[bins, bands]`.

    mel = 2595 log10(1 + f / 700). A triangle is at least one bin wide to each side, so that none is empty.
    """
    edges = 700 * (10 ** (np.linspace(0, np.log10(1 + frequencies[-1] / 700), bands + 2)) - 1)
    spacing = frequencies[1] - frequencies[0]
    rise = np.maximum(np.diff(edges)[:-1], spacing)
    fall = np.maximum(np.diff(edges)[1:], spacing)
    away = frequencies[:, None] - edges[None, 1:-1]  # [bins, bands]
    weights = np.maximum(1 - np.where(away < 0, -away / rise, away / fall), 0)
    return weights / weights.sum(axis=0)


def nearest(points: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Index of the nearest entry for each point, `[T, D]`, `[K, D]` -> int64 `[T]`.

    Of entries whose squared distances agree to `TIE` the lowest is taken: rounding cannot choose between equal ones.
    """
    points, codebook = points.astype(np.float64, copy=False), codebook.astype(np.float64, copy=False)
    lengths = (points**2).sum(axis=1, keepdims=True)
    sizes = (codebook**2).sum(axis=1)
    distances = lengths - 2 * (points @ codebook.T) + sizes  # [T, K]
    tolerance = TIE * (lengths + sizes.max())
    return np.argmax(distances <= distances.min(axis=1, keepdims=True) + tolerance, axis=1)
