"""How near decoded audio is to the original, without any weights. Every measure first removes a constant lag.

Codecs lag by a few samples or a whole hop; unaligned, one of a few dB SNR measures as worse than silence.
"""

import warnings

import numpy as np

from kaiku.errors import KaikuError

LIBRARIES = ("numpy", "pystoi", "scipy")

MAX_LAG = 2048  # samples searched to either side
LIMIT_DB = 100.0  # a perfect copy has no finite SNR, and a report holds only finite numbers

MEL_BANDS, MEL_FFT, MEL_HOP = 80, 1024, 256
MEL_FLOOR = 1e-4  # of a band's magnitude, where full scale is a sample of 1.0


def align(reference: np.ndarray, estimate: np.ndarray, max_lag: int = MAX_LAG) -> tuple[np.ndarray, np.ndarray]:
    """The parts of two signals that lie over each other once the lag of the estimate is removed, float64, equal length.

    The lag is the one within `max_lag` samples at which the inner product is greatest; of equal ones the shortest.
    """
    reference, estimate = _signal(reference, "reference"), _signal(estimate, "estimate")
    lag = find_lag(reference, estimate, max_lag)
    reference, estimate = reference[max(-lag, 0) :], estimate[max(lag, 0) :]
    length = min(len(reference), len(estimate))
    return reference[:length], estimate[:length]


def find_lag(reference: np.ndarray, estimate: np.ndarray, max_lag: int = MAX_LAG) -> int:
    """Samples by which the estimate comes late (negative: early), found by cross-correlation."""
    size = len(reference) + len(estimate)
    spectrum = np.fft.rfft(estimate, size) * np.conj(np.fft.rfft(reference, size))
    products = np.fft.irfft(spectrum, size)  # inner product at each lag, negative lags at the end
    latest = min(max_lag, len(estimate) - 1)
    earliest = min(max_lag, len(reference) - 1)
    lags = np.array(sorted(range(-earliest, latest + 1), key=abs))
    found = products[lags]
    rounding = 1e-9 * np.sqrt((reference**2).sum() * (estimate**2).sum())
    return int(lags[np.argmax(found >= found.max() - rounding)])


def snr_db(reference: np.ndarray, estimate: np.ndarray, max_lag: int = MAX_LAG) -> float | None:
    """Signal-to-noise ratio in dB, 10 log10(|s|^2 / |s - e|^2), within +-LIMIT_DB; None for a silent reference."""
    reference, estimate = align(reference, estimate, max_lag)
    return _ratio_db(reference, reference - estimate)


def si_sdr_db(reference: np.ndarray, estimate: np.ndarray, max_lag: int = MAX_LAG) -> float | None:
    """Scale-invariant SDR in dB, within +-LIMIT_DB; None for a silent reference.

    Le Roux et al. (2019), without their removal of means: the reference is scaled to fit the estimate best.
    """
    reference, estimate = align(reference, estimate, max_lag)
    power = reference @ reference
    if power == 0:
        return None
    target = (estimate @ reference) / power * reference
    return _ratio_db(target, target - estimate) if (estimate @ reference) else -LIMIT_DB


def stoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, max_lag: int = MAX_LAG) -> float | None:
    """Short-time objective intelligibility (Taal et al., 2011); None where under 0.4 s of the reference is speech."""
    import pystoi

    reference, estimate = align(reference, estimate, max_lag)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, estimate, sample_rate))
        except (RuntimeWarning, ValueError):  # too short once silence is cut out
            return None


def mel_distance(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, max_lag: int = MAX_LAG) -> float:
    """Mean absolute difference of log10 mel magnitudes, over all frames and 80 bands; 0 is equal, 1 a factor of 10.

    Hann window of 1024 samples, hop 256, zeros at the end; magnitudes in `mel_filters`, floored at MEL_FLOOR.
    """
    reference, estimate = align(reference, estimate, max_lag)
    return float(np.abs(_log_mel(reference, sample_rate) - _log_mel(estimate, sample_rate)).mean())


def mel_filters(sample_rate: int, fft_size: int = MEL_FFT, bands: int = MEL_BANDS) -> np.ndarray:
    """Triangular filters evenly spaced in mel from 0 Hz to half the rate, `[bins, bands]`, each summing to 1.

    mel = 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). A triangle is at least one bin wide to each side.
    """
    highest = np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** np.linspace(0, highest, bands + 2) - 1)
    widths = np.maximum(np.diff(edges), sample_rate / fft_size)
    away = np.fft.rfftfreq(fft_size, 1 / sample_rate)[:, None] - edges[1:-1]  # [bins, bands]
    weights = np.maximum(1 - np.where(away < 0, -away / widths[:-1], away / widths[1:]), 0)
    return weights / weights.sum(axis=0)


def _log_mel(wav: np.ndarray, sample_rate: int) -> np.ndarray:
    padded = np.concatenate([wav, np.zeros(MEL_FFT)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_FFT)[::MEL_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_FFT) / MEL_FFT)
    magnitude = np.abs(np.fft.rfft(frames * window)) @ mel_filters(sample_rate)
    return np.log10(np.maximum(magnitude, MEL_FLOOR))


def _ratio_db(signal: np.ndarray, noise: np.ndarray) -> float | None:
    power, error = signal @ signal, noise @ noise
    if power == 0:
        return None
    if error == 0:
        return LIMIT_DB
    return float(np.clip(10 * np.log10(power / error), -LIMIT_DB, LIMIT_DB))


def _signal(wav: np.ndarray, role: str) -> np.ndarray:
    wav = np.asarray(wav, np.float64)
    if wav.ndim != 1 or not wav.size or not np.isfinite(wav).all():
        raise KaikuError(
            f"The {role} has shape {list(wav.shape)}" + (" and samples that are not finite" if wav.size else ""),
            expected="mono audio [samples], at least one sample, all finite",
        )
    return wav
