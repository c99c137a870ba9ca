"""The pitch of a voice and how far it moves: of monotone recordings a model learns a monotone.

Fundamental frequency by YIN (de Cheveigné and Kawahara, YIN, a fundamental frequency estimator for speech and music,
2002): the cumulative mean normalised difference function (eq. 8), the first of its dips below a threshold, refined by
a parabola. Spread is told by percentiles, which a few frames at half or twice the frequency do not move.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import Field, model_validator

from kaiku.audio import vad
from kaiku.audio.clips import ClipAudio
from kaiku.audio.resample import resample
from kaiku.strict import Strict

LIBRARIES = ("soxr", "numpy")
FIELDS = {
    "pitch_hz": "Hz, median fundamental frequency of voiced frames; none with less than min_voiced_s of them.",
    "pitch_spread_st": "semitones, half the distance between the 16th and 84th percentile of the fundamental frequency "
    "of voiced frames: the standard deviation, were they distributed normally; none where there is no pitch_hz.",
}
SAMPLE_RATE = 8000  # Hz: holds every harmonic that matters, at a third of the cost of 16 kHz
HOP = SAMPLE_RATE // 100  # 10 ms
WINDOW = SAMPLE_RATE * 3 // 100  # 30 ms that are compared with what comes one lag later
BLOCK = 1000  # frames at a time: some dozen megabytes, however long the clip
VOICED = 0.15  # the difference function of a voiced frame falls below this share of its mean
LOUD = 0.01  # voiced frames have at least this power of the loud ones: -20 dB, what hum between words does not have
LOUDNESS_PERCENTILE = 95
DIGITAL_SILENCE = 1e-7  # mean square, -70 dB
PERCENTILES = (16, 84)  # of a normal distribution: one standard deviation to either side


class Settings(Strict):
    """Where a voice lies, and how much of it a figure needs."""

    lowest_hz: float = Field(60, ge=40, description="Hz below which no fundamental frequency is looked for")
    highest_hz: float = Field(
        500, le=1000, description="Hz above which none is looked for; children and singers go higher"
    )
    min_voiced_s: float = Field(0.5, ge=0.1, description="s of voiced frames below which there is no figure")

    @model_validator(mode="after")
    def _is_a_range(self) -> "Settings":
        if self.highest_hz < 2 * self.lowest_hz:
            raise ValueError(
                f"highest_hz={self.highest_hz:g} is less than twice lowest_hz={self.lowest_hz:g}: no voice fits between"
            )
        return self


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    pitch_hz = _voiced_hz(resample(clip.samples_16k, vad.SAMPLE_RATE, SAMPLE_RATE), settings)
    if len(pitch_hz) * HOP < settings.min_voiced_s * SAMPLE_RATE:
        return {"pitch_hz": None, "pitch_spread_st": None}
    low, high = np.percentile(12 * np.log2(pitch_hz), PERCENTILES)
    return {"pitch_hz": float(np.median(pitch_hz)), "pitch_spread_st": float(high - low) / 2}


def _voiced_hz(samples: np.ndarray, settings: Settings) -> np.ndarray:
    """Fundamental frequency of each voiced frame, Hz."""
    shortest, longest = int(SAMPLE_RATE / settings.highest_hz), int(SAMPLE_RATE / settings.lowest_hz)
    blocks = [(_fundamentals_hz(f, shortest, longest), np.mean(f**2, axis=1)) for f in _frames(samples, longest)]
    if not blocks:
        return np.zeros(0)
    found, power = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    least = max(LOUD * np.percentile(power, LOUDNESS_PERCENTILE), DIGITAL_SILENCE)
    return found[np.isfinite(found) & (power >= least)]


def _frames(samples: np.ndarray, longest: int) -> Iterator[np.ndarray]:
    """Frames of a window and the longest lag (and one sample, for the parabola) without offset: float64 [n, size]."""
    size = WINDOW + longest + 1
    if len(samples) >= size:
        frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::HOP]
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK].astype(np.float64)
            yield block - block.mean(axis=1, keepdims=True)


def _fundamentals_hz(frames: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """Of each frame, NaN where it has no period of `shortest` to `longest` samples."""
    normalised = _normalised_difference(frames, longest + 1)  # [n, lags]
    lags = np.arange(shortest, longest + 1)
    before, at, after = (normalised[:, lags + step] for step in (-1, 0, 1))
    dips = (at < VOICED) & (at <= before) & (at < after)
    first = np.argmax(dips, axis=1)
    y0, y1, y2 = (part[np.arange(len(frames)), first] for part in (before, at, after))
    with np.errstate(invalid="ignore", divide="ignore"):  # of frames without a dip
        shift = (y0 - y2) / (2 * (y0 - 2 * y1 + y2))
    return np.where(dips.any(axis=1), SAMPLE_RATE / (lags[first] + shift), np.nan)


def _normalised_difference(frames: np.ndarray, longest: int) -> np.ndarray:
    """d'(lag) for lags 0 to `longest`, [n, longest + 1]; 1 where nothing differs, as in silence."""
    lags = np.arange(longest + 1)
    size = 1 << (frames.shape[1] - 1).bit_length()
    spectrum = np.fft.rfft(frames, size)
    products = np.fft.irfft(np.conj(np.fft.rfft(frames[:, :WINDOW], size)) * spectrum, size)[:, : longest + 1]
    energy = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    difference = energy[:, WINDOW, None] + energy[:, lags + WINDOW] - energy[:, lags] - 2 * products
    total = np.cumsum(difference[:, 1:], axis=1)
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:] * lags[1:], total, out=normalised[:, 1:], where=total > 0)
    return normalised
