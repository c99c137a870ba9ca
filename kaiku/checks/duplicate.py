"""Near-duplicates in a corpus: one recording under several names, however it was encoded, scaled or trimmed.

A clip is described by the course of its loudness in eight bands, from where it begins to be loud to where it ends:
gain, equalisation and silence at the edges leave that as it is. Two clips are alike as far as these courses correlate.
Another reading of the same sentence is none; a trim that cuts into speech is found up to a tenth at either end.
Takes of one short word are as much alike as copies are: clips shorter than `min_s` are not measured.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from pydantic import Field

from kaiku.audio.clips import HOP_S, MEL_BANDS, ClipAudio
from kaiku.checks import Described, Measures
from kaiku.strict import Strict

NEEDS = "corpus"
LIBRARIES = ("soxr", "numpy")
FIELDS = {
    "duplicates": "number of other clips of the corpus that are the same sound.",
    "duplicates_before": "number of those whose names come before: 0 for the one to keep.",
    "duplicate_similarity": "-1 to 1, correlation with the most similar other clip: 0.85 and more for copies, below "
    "0.75 for anything else; none where there is no other clip.",
    "duplicate_group": "a number that copies have in common, made of the first one's name; none without duplicates.",
}
BANDS = 8
STEPS = 64  # of the course; fewer would show long clips as their pauses alone
QUIET_DB = 35  # below the loudest frames: silence at the edges
DEEPEST_DB = 25  # below a band's own peak: deeper lie noise and pauses, which are alike in sentences that are not
SHORTEST_FRAMES = 16  # 0.3 s; a course of fewer frames is too much alike that of others
TRIMS = (0.0, 0.02, 0.04, 0.06, 0.09)  # shares that a copy may lack at either end
ROUGH_STEPS = 16
WORTH_A_LOOK, WORTH_TRYING = 0.45, 0.65  # rough correlations as clips stand, and trimmed: copies had 0.48 and more
SHORTEST_SHARE = 0.8  # of the longer one's length that a copy has
BLOCK = 256  # clips whose similarities to all others are held at once
PAIRS = 512  # of which trims are held at once


class Settings(Strict):
    """From when on two clips are one."""

    similarity: float = Field(0.8, gt=0.5, lt=1, description="correlation from which two clips count as the same sound")
    min_s: float = Field(
        1.0,
        ge=0,
        description="s of sound, silence at the edges left out, that a clip has at least to be compared: takes of one "
        "word of half a second are as much alike as copies",
    )


def describe(clip: ClipAudio) -> np.ndarray | None:
    """Logarithm of the length, then the course with mean 0 and deviation 1 in each band: float32 [1 + STEPS * BANDS].

    None for silence and tiny clips.
    """
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
    course = _even(_resized(bands_db, 0, 0, STEPS)).ravel()
    return np.concatenate([[np.log(len(bands_db))], course]).astype(np.float32)


def compare(described: Described, wanted: Sequence[int], settings: Settings) -> list[Measures]:
    seconds = np.rint(np.exp(described.vectors[:, 0])) * HOP_S
    compared = np.flatnonzero(seconds >= settings.min_s)
    places = [place for place in wanted if seconds[place] >= settings.min_s]
    clips = [described.clips[place] for place in compared]
    found = iter(_compared(clips, described.vectors[compared], np.searchsorted(compared, places), settings))
    return [next(found) if seconds[place] >= settings.min_s else dict.fromkeys(FIELDS) for place in wanted]


def _compared(clips: Sequence[str], vectors: np.ndarray, wanted: np.ndarray, settings: Settings) -> list[Measures]:
    """The measures of the clips at the places `wanted` among some that are all long enough."""
    if not len(wanted):
        return []
    lengths, fine = vectors[:, 0], np.ascontiguousarray(vectors[:, 1:])
    rough = _rough(fine)
    found: list[Measures] = []
    for start in range(0, len(wanted), BLOCK):
        places = wanted[start : start + BLOCK]
        alike = fine[places] @ fine.T / fine.shape[1]  # [places, clips]
        _try_trims(alike, places, lengths, rough, fine)
        alike[np.arange(len(places)), places] = -1
        found += [_measures(clips, place, row, settings) for place, row in zip(places, alike, strict=True)]
    return found


def _try_trims(alike: np.ndarray, places: np.ndarray, lengths: np.ndarray, rough: np.ndarray, fine: np.ndarray) -> None:
    """Raise the correlations [places, clips] of pairs that are alike once one of them is trimmed.

    Of most pairs a rough look shows that they are not: first as they stand, then trimmed.
    """
    looks = rough[places] @ rough.T / rough.shape[1]
    looks[np.abs(lengths[places][:, None] - lengths) > -np.log(SHORTEST_SHARE)] = 0
    looks[np.arange(len(places)), places] = 0
    rows, columns = np.nonzero(looks > WORTH_A_LOOK)
    worth = _best_trims(rough, places[rows], columns) > WORTH_TRYING
    rows, columns = rows[worth], columns[worth]
    alike[rows, columns] = np.maximum(alike[rows, columns], _best_trims(fine, places[rows], columns))


def _best_trims(courses: np.ndarray, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The best correlation of each pair over trims of either, float32 [pairs]."""
    best = [np.zeros(0, np.float32)]
    for start in range(0, len(ones), PAIRS):
        one, other = (courses[pair[start : start + PAIRS]] for pair in (ones, others))
        both = [np.einsum("cnd,nd->cn", _trimmed(a), b).max(axis=0) for a, b in ((one, other), (other, one))]
        best.append(np.maximum(*both) / courses.shape[1])
    return np.concatenate(best)


def _measures(clips: Sequence[str], place: int, alike: np.ndarray, settings: Settings) -> Measures:
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
    """Courses [clips, steps * BANDS] without shares of their ends, as long as before: [trims, clips, steps * BANDS]."""
    clips, steps = len(courses), courses.shape[1] // BANDS
    bands = courses.reshape(clips, steps, BANDS).transpose(1, 0, 2).reshape(steps, -1)  # [steps, clips * BANDS]
    made = [_even(cut @ bands).reshape(steps, clips, BANDS).transpose(1, 0, 2) for cut in _cuts(steps)]
    return np.stack(made).reshape(len(made), clips, -1)


def _rough(fine: np.ndarray) -> np.ndarray:
    """Courses of a quarter of the steps, on which a trim tells less: float32 [clips, ROUGH_STEPS * BANDS]."""
    means = fine.reshape(len(fine), ROUGH_STEPS, -1, BANDS).mean(axis=2).transpose(1, 0, 2)
    return np.ascontiguousarray(_even(means).transpose(1, 0, 2)).reshape(len(fine), -1)


@cache
def _cuts(steps: int) -> np.ndarray:
    """The trims as matrices over so many steps, float32 [trims, steps, steps]."""
    cuts = [(a, b) for a in TRIMS for b in TRIMS if a or b]
    return np.array([_resized(np.eye(steps), a, b, steps) for a, b in cuts], np.float32)


def _resized(course: np.ndarray, without_start: float, without_end: float, steps: int) -> np.ndarray:
    """Means of [n, width] over equal parts of what lies between shares of its ends: [steps, width]."""
    n = len(course)
    sums = np.concatenate([np.zeros((1, course.shape[1])), np.cumsum(course, axis=0, dtype=np.float64)])
    at = np.linspace(without_start * n, n - without_end * n, steps + 1)
    below = np.minimum(at.astype(int), n - 1)
    whole = sums[below] + (at - below)[:, None] * (sums[below + 1] - sums[below])
    return np.diff(whole, axis=0) / (at[1] - at[0])


def _even(course: np.ndarray) -> np.ndarray:
    """Each column to mean 0 and standard deviation 1; one that does not move stays 0."""
    course = course - course.mean(axis=0)
    return course / np.maximum(course.std(axis=0), 1e-3)
