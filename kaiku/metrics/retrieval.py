"""Is what was said what should have been said? Generated speech is matched against recordings of many sentences.

Needs no weights: dynamic time warping (DTW) of log-mel frames finds the nearest of the candidates. It measures words
and their timing for one known voice, not naturalness. Lengths more than a factor of two apart cannot be aligned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LIBRARIES = ("librosa", "scipy", "soxr")

SAMPLE_RATE = 16_000  # all audio is brought to it, so that windows are equally long for every codec
WINDOW, HOP, BANDS = 1024, 320, 40
FLOOR = 3.0  # decades of power below the loudest band that still count
DIAGONAL, SKIP = 1.0, 1.5  # weights of the steps (1,1) and (1,2), (2,1)


@dataclass(frozen=True)
class Match:
    """Where the right candidate came out: `rank` 1 is nearest; `margin` = nearest other minus own distance.

    `margin` is None where own or all others cannot be aligned.
    """

    rank: int
    candidates: int
    own_distance: float | None
    margin: float | None

    @property
    def found(self) -> bool:
        return self.rank == 1


def features(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Log-mel frames of a clip, each band with zero mean and unit deviation over the clip.

    audio: float32 [samples]; returns float32 [frames, 40], one frame per 20 ms, none for an empty clip.
    """
    import librosa
    import soxr

    if not len(audio):
        return np.zeros((0, BANDS), np.float32)
    if sample_rate != SAMPLE_RATE:
        audio = soxr.resample(audio, sample_rate, SAMPLE_RATE)
    power = librosa.feature.melspectrogram(y=audio, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS)
    log_mel = np.log10(np.maximum(power, 1e-10)).T  # [frames, 40]
    log_mel = np.maximum(log_mel, log_mel.max() - FLOOR)
    centred = log_mel - log_mel.mean(axis=0)
    return (centred / np.maximum(centred.std(axis=0), 1e-3)).astype(np.float32)


def dtw_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean cost per frame of the cheapest alignment of two clips; infinite where one is over twice as long.

    a, b: [frames, bands]. Steps (1,1), (1,2), (2,1) (Sakoe and Chiba 1978, slope 1/2 to 2) forbid standing still, so
    a row depends on the two rows before it only and is computed at once.
    """
    from scipy.spatial.distance import cdist

    rows, columns = len(a), len(b)
    if not rows or not columns:
        return float("inf")
    cost = cdist(a, b)  # [rows, columns], Euclidean
    total = np.full((rows + 2, columns + 2), np.inf)  # two rows and columns of wall before the start
    total[2, 2] = cost[0, 0]
    for i in range(1, rows):
        straight = total[i + 1, 1:-1] + DIAGONAL * cost[i]
        skip_b = total[i + 1, :-2] + SKIP * cost[i]
        skip_a = total[i, 1:-1] + SKIP * cost[i]
        total[i + 2, 2:] = np.minimum(straight, np.minimum(skip_b, skip_a))
    return float(total[-1, -1]) / (rows + columns) * 2


def retrieve(generated: Sequence[np.ndarray], candidates: Sequence[np.ndarray], own: Sequence[int]) -> list[Match]:
    """For each generated clip, the rank of its own sentence among the candidates.

    generated, candidates: what `features` returns; own[i]: index of the candidate that says what generated[i] should.
    A candidate at the same distance as the right one counts as nearer: a tie is no hit.
    """
    return [_match([dtw_distance(clip, other) for other in candidates], index) for clip, index in zip(generated, own)]


def _match(distances: Sequence[float], own: int) -> Match:
    right = distances[own]
    others = [distance for index, distance in enumerate(distances) if index != own]
    nearest = min(others, default=np.inf)
    return Match(
        rank=1 + sum(distance <= right for distance in others),
        candidates=len(distances),
        own_distance=right if np.isfinite(right) else None,
        margin=nearest - right if np.isfinite(right) and np.isfinite(nearest) else None,
    )


def length_ratio(generated_frames: int, true_frames: int) -> float:
    """Length of the generated speech over the length of the recording; near 1 where the model stops in time."""
    return generated_frames / true_frames
