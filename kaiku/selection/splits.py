"""Into which split a clip goes, and whether a subset holds it: by hashes of names, which stay as a corpus grows."""

import hashlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kaiku.selection.settings import FEW_RECORDINGS, SplitSettings, SubsetSettings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def split_of(
    segments: "pd.DataFrame", is_clip: "np.ndarray", settings: SplitSettings, recordings_total: int
) -> "np.ndarray":
    """train, val, test or gap for each row; patterns win over shares."""
    import numpy as np

    recordings = segments["recording"].astype(str)
    if settings.by == "recording" and recordings_total <= FEW_RECORDINGS and sum(settings.shares()) > 0:
        split = _blocks(segments, is_clip, *settings.shares())
    else:
        units = segments[settings.by].fillna("").astype(str)
        drawn = {unit: _draw(settings.salt, unit, *settings.shares()) for unit in units.unique()}
        split = units.map(drawn).to_numpy(dtype=object)
    for name, patterns in zip(("val", "test"), settings.patterns()):
        named = {r for r in recordings.unique() if any(fnmatchcase(r, pattern) for pattern in patterns)}
        split = np.where(recordings.isin(named), name, split)
    return split


def in_subset(
    segments: "pd.DataFrame",
    duration_s: "np.ndarray",
    kept: "np.ndarray",
    split: "np.ndarray",
    settings: SubsetSettings,
    shards: int,
) -> "np.ndarray":
    """Whether each row is in the subset; rows that it is no part of are.

    share: by the place of its unit. hours: each shard fills its equal part of them with kept clips, recording after
    recording in the order of their places, so that a smaller part is the beginning of a larger one.
    """
    import numpy as np

    open_to = kept & ((split == "train") | (settings.of == "all"))
    within = np.ones(len(segments), dtype=bool)
    units = segments[settings.by if settings.hours is None else "recording"].fillna("").astype(str)
    places = units.map({unit: place_of(f"subset\0{settings.salt}\0{unit}") for unit in units.unique()})
    places = places.to_numpy(dtype=float)
    if settings.share is not None:
        within[open_to] = places[open_to] < settings.share
        return within
    of_training = open_to & (split == "train")
    starts_s = segments["start_s"].to_numpy(dtype=float)
    order = np.lexsort((segments["clip"].fillna("").astype(str), starts_s, places))
    order = order[of_training[order]]
    within[order] = np.cumsum(duration_s[order]) <= settings.hours * 3600 / max(shards, 1)
    return within


def place_of(name: str) -> float:
    """The place of a name in 0..1, drawn by a hash of it."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _draw(salt: str, unit: str, val: float, test: float) -> str:
    """The split of a unit by a hash in 0..1 of its name, so that it stays when others come or shares change."""
    place = place_of(f"{salt}\0{unit}")
    # From both ends: a new share of the one moves nothing into or out of the other.
    return "test" if place < test else "val" if place >= 1 - val else "train"


def _blocks(segments: "pd.DataFrame", is_clip: "np.ndarray", val: float, test: float) -> "np.ndarray":
    """train, val, test or gap for each row, each recording divided on its own."""
    import numpy as np

    split = np.full(len(segments), "train", dtype=object)
    clips = segments.reset_index(drop=True)[is_clip].sort_values(["start_s", "end_s", "clip"])
    for _, rows in clips.groupby("recording", sort=False):
        lengths_s = (rows["end_s"] - rows["start_s"]).to_numpy(dtype=float)
        split[rows.index] = _divide(lengths_s, val, test)
    return split


def _divide(lengths_s: "np.ndarray", val: float, test: float) -> "np.ndarray":
    """Contiguous blocks of one recording's clips by their time: train, val, test, with one clip left out between two.

    The clip that reaches over a border is the one left out. What is too short to divide is all train.
    """
    import numpy as np

    names = np.full(len(lengths_s), "train", dtype=object)
    ends_s = np.cumsum(lengths_s)
    beyond = len(names)
    for name, share, held_out in (("test", test, test), ("val", val, val + test)):
        if share == 0:
            continue
        over_border = int(np.searchsorted(ends_s, (1 - held_out) * ends_s[-1], side="right"))
        gap = min(over_border, beyond - 2)
        if gap < 1:
            return np.full(len(names), "train", dtype=object)
        names[gap], names[gap + 1 : beyond] = "gap", name
        beyond = gap
    return names
