"""From a shard's selection and tokens to sentences, and from packs to what a run trains on."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kaiku.errors import CorruptFile
from kaiku.store import rows, tables
from kaiku.store.artefacts import TOKENS
from kaiku.store.protos import Sentence, read_protos

SPLITS = ("train", "val", "test")


def sentences(selection: Path, token_rows: Path, codes: Path, split: str) -> Iterator[Sentence]:
    """The kept clips of a split, in the order of the selection. A clip that could not be encoded is left out."""
    chosen = tables.selection(selection)
    chosen = chosen[chosen["kept"] & (chosen["split"] == split)]
    places = {
        row["clip"]: (row["first"], row["frames"])
        for row in rows.read(token_rows, TOKENS).to_pylist()
        if row["status"] == rows.STATUS_OK
    }
    encoded = np.load(codes, mmap_mode="r")
    for clip, speaker, text in zip(chosen["clip"], chosen["speaker"], chosen["text"], strict=True):
        if clip in places:
            first, frames = places[clip]
            if first + frames > len(encoded):
                raise CorruptFile(
                    f"{codes}: {len(encoded)} rows, clip {clip} at {first}..{first + frames}",
                    remedy="Delete the file; the next run makes it again.",
                )
            yield Sentence(speaker, text, encoded[first : first + frames])


def read_packs(paths: Iterable[Path]) -> list[Sentence]:
    """All sentences of some packs, in the order given."""
    return [sentence for path in paths for sentence in read_protos(path)]
