"""Seeded k-means for codebooks: k-means++ start, Lloyd's iterations, no empty class."""

import numpy as np

from kaiku.codecs.env.quantiser import nearest
from kaiku.errors import KaikuError

START_POINTS_PER_CENTRE = 32  # the start looks at this many points at most; Lloyd's iterations at all


def kmeans(points: np.ndarray, size: int, iterations: int, rng: np.random.Generator) -> np.ndarray:
    """`size` centres of `points` [N, D], float32 `[size, D]`; a KaikuError where fewer points than that differ."""
    centres = _spread(rng.permutation(points)[: size * START_POINTS_PER_CENTRE], size, rng)
    for _ in range(iterations):
        codes = nearest(points, centres)
        centres, used = class_means(points, codes, size)
        if not used.all():
            # An empty class goes where the fit is worst, as far as possible from the centre in charge.
            misfit = ((points - centres[codes]) ** 2).sum(axis=1)
            centres[~used] = points[np.argsort(-misfit, kind="stable")[: np.count_nonzero(~used)]]
    return centres.astype(np.float32)


def class_means(values: np.ndarray, codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the values `[N, D]` in each class, float64 `[size, D]`, and which classes have any, bool `[size]`."""
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    sums = np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
    means = np.zeros((size, values.shape[1]))
    means[present] = sums / np.diff([*starts, len(codes)])[:, None]
    return means, np.isin(np.arange(size), present)


def _spread(points: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ (Arthur and Vassilvitskii, 2007): each next centre drawn by squared distance to the nearest so far."""
    points = points.astype(np.float64)
    lengths = (points**2).sum(axis=1)
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    while len(chosen) < size:
        last = points[chosen[-1]]
        distance = np.minimum(distance, np.maximum(lengths - 2 * (points @ last) + last @ last, 0))
        distance[chosen[-1]] = 0
        cumulated = np.cumsum(np.where(distance > 1e-9 * lengths.max(), distance, 0))
        if cumulated[-1] == 0:
            raise KaikuError(
                f"Only {len(chosen)} of {len(points)} frames differ from each other",
                expected=f"at least {size}, one per code",
                remedy="Add recordings, or lower codebook_size; long digital silence and repeated clips do not count.",
            )
        chosen.append(int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right")))
    return points[chosen]
