"""What a shard gives to a pack: the kept clips of a split, each with its text and its codes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from kaiku.store.protos import Sentence

LIBRARIES: tuple[str, ...] = ()


def sentences(
    selection: Iterable[Mapping[str, Any]], places: Mapping[str, tuple[int, int]], codes: np.ndarray, split: str
) -> Iterator[Sentence]:
    """The kept clips of a split, in the order of the selection. A clip that could not be encoded is left out.

    places: first frame and number of frames by clip. codes: uint16 [frames of all clips, codebooks].
    """
    for row in selection:
        if row["kept"] and row["split"] == split and row["clip"] in places:
            first, frames = places[row["clip"]]
            yield Sentence(row["speaker"], row["text"], codes[first : first + frames])
