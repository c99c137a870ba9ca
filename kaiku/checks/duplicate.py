"""Near-duplicates in a corpus: one recording under several names, however it was encoded, scaled or trimmed.

A clip is described by the course of its loudness in eight bands, from where it begins to be loud to where it ends:
gain, equalisation and silence at the edges leave that as it is. Two clips are alike as far as these courses correlate.
Another reading of the same sentence is none; a trim that cuts into speech is found up to a tenth at either end.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from kaiku.audio.clips import MEL_BANDS, ClipAudio
from kaiku.checks import Described, Measures
from kaiku.strict import Strict

NEEDS = "corpus"
LIBRARIES = ("soxr", "numpy")
FIELDS = {
    "duplicates": "number of other clips of the corpus that are the same sound.",
    "duplicates_before": "number of those whose names come before: 0 for the one to keep.",
    "duplicate_similarity": "-1 to 1, correlation with the most similar other clip: 0.9 and more for copies, below 0.7 "
    "for anything else; none where there is no other clip.",
    "duplicate_group": "a number that copies have in common, made of the first one's name; none without duplicates.",
}
BANDS = 8
STEPS = 32  # of the course; a syllable is some of them
QUIET_DB = 35  # below the loudest frames: silence at the edges
DEEPEST_DB = 40  # below a band's own peak: what lies deeper is noise, and differs between encoders
SHORTEST_FRAMES = 16  # 0.3 s; a course of fewer frames is too much alike that of others
TRIMS = (0.0, 0.03, 0.06, 0.1)  # shares that a copy may lack at either end
WORTH_A_LOOK = 0.3  # correlation as it stands above which trims are tried: copies had 0.42 and more
BLOCK = 1024  # clips whose similarities to all others are held at once


class Settings(Strict):
    """From when on two clips are one."""

    similarity: float = Field(0.8, gt=0.5, lt=1, description="correlation from which two clips count as the same sound")


def describe(clip: ClipAudio) -> np.ndarray | None:
    """Float32 [STEPS * BANDS], mean 0 and standard deviation 1 in each band; None for silence and tiny clips."""
    mel_db = clip.mel_db  # [frames, MEL_BANDS]
    if len(mel_db) < SHORTEST_FRAMES:
        return None
    power = 10 ** (mel_db / 10)
    loud_db = 10 * np.log10(power.sum(axis=1))
    loudest_db = np.percentile(loud_db, 98)
    if loudest_db < -100:
        return None
    audible = np.flatnonzero(loud_db > loudest_db - QUIET_DB)
    span = slice(audible[0], audible[-1] + 1)
    bands_db = 10 * np.log10(power[span].reshape(-1, BANDS, MEL_BANDS // BANDS).mean(axis=2))
    if len(bands_db) < SHORTEST_FRAMES:
        return None
    bands_db = np.maximum(bands_db, bands_db.max(axis=0) - DEEPEST_DB)
    return _even(_resized(bands_db, 0, 0)).ravel().astype(np.float32)


def compare(described: Described, wanted: Sequence[int], settings: Settings) -> list[Measures]:
    courses = described.vectors
    trimmed = _trimmed(courses)  # [trims, clips, width]
    found: list[Measures] = []
    for start in range(0, len(wanted), BLOCK):
        places = list(wanted[start : start + BLOCK])
        alike = _similarities(courses, trimmed, places)  # [places, clips]
        found += [_measures(described.clips, place, row, settings) for place, row in zip(places, alike, strict=True)]
    return found


def _similarities(courses: np.ndarray, trimmed: np.ndarray, places: list[int]) -> np.ndarray:
    """Correlations of some clips with all; of two that are somewhat alike, the best over trims of either."""
    width = courses.shape[1]
    alike = courses[places] @ courses.T / width
    rows, columns = np.nonzero(alike > WORTH_A_LOOK)
    own = np.asarray(places)[rows]
    for cut in trimmed:
        for one, other in ((cut[own], courses[columns]), (courses[own], cut[columns])):
            better = np.einsum("nd,nd->n", one, other) / width
            alike[rows, columns] = np.maximum(alike[rows, columns], better)
    return alike


def _measures(clips: Sequence[str], place: int, alike: np.ndarray, settings: Settings) -> Measures:
    alike[place] = -1
    same = np.flatnonzero(alike >= settings.similarity)  # in the order of names
    first = clips[min(place, int(same[0]))] if len(same) else ""
    return {
        "duplicates": float(len(same)),
        "duplicates_before": float(np.count_nonzero(same < place)),
        # The last bits of a product depend on how many clips there are.
        "duplicate_similarity": round(float(alike.max()), 4) if len(alike) > 1 else None,
        "duplicate_group": _number(first) if first else None,
    }


def _number(name: str) -> float:
    """A whole number of 48 bits, which a float holds exactly: another clip in the corpus changes no other's number."""
    return float(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest(), "big"))


def _trimmed(courses: np.ndarray) -> np.ndarray:
    """Each course without shares of its ends, as long as before: float32 [trims, clips, STEPS * BANDS]."""
    steps = courses.reshape(-1, STEPS, BANDS).transpose(1, 0, 2).reshape(STEPS, -1)  # [STEPS, clips * BANDS]
    cuts = [(a, b) for a in TRIMS for b in TRIMS if a or b]
    made = [_even(_resized(steps, a, b)).reshape(STEPS, -1, BANDS).transpose(1, 0, 2) for a, b in cuts]
    return np.stack(made).reshape(len(cuts), len(courses), -1).astype(np.float32)


def _resized(course: np.ndarray, without_start: float, without_end: float) -> np.ndarray:
    """Means of [n, width] over STEPS equal parts of what lies between shares of its ends: [STEPS, width]."""
    n = len(course)
    sums = np.concatenate([np.zeros((1, course.shape[1])), np.cumsum(course, axis=0, dtype=np.float64)])
    at = np.linspace(without_start * n, n - without_end * n, STEPS + 1)
    below = np.minimum(at.astype(int), n - 1)
    whole = sums[below] + (at - below)[:, None] * (sums[below + 1] - sums[below])
    return np.diff(whole, axis=0) / (at[1] - at[0])


def _even(course: np.ndarray) -> np.ndarray:
    """Each column to mean 0 and standard deviation 1; one that does not move stays 0."""
    course = course - course.mean(axis=0)
    return course / np.maximum(course.std(axis=0), 1e-3)
