"""From a shard's selection and tokens to sentences, and from packs to what a run trains on: the files of packing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from kaiku import packing
from kaiku.errors import CorruptFile
from kaiku.store import rows
from kaiku.store.artefacts import SELECTION, TOKENS
from kaiku.store.protos import Sentence, read_protos

SPLITS = ("train", "val", "test")


def sentences(selection: Path, token_rows: Path, codes: Path, split: str) -> Iterator[Sentence]:
    """The kept clips of a split, in the order of the selection. Raises CorruptFile where rows point past the codes."""
    encoded = np.load(codes, mmap_mode="r")
    places = {}
    for row in rows.read(token_rows, TOKENS).to_pylist():
        if row["status"] != rows.STATUS_OK:
            continue
        first, frames = places[row["clip"]] = row["first"], row["frames"]
        if first + frames > len(encoded):
            raise CorruptFile(
                f"{codes}: {len(encoded)} rows, clip {row['clip']} at {first}..{first + frames}",
                remedy="Delete the file; the next run makes it again.",
            )
    return packing.sentences(rows.read(selection, SELECTION).to_pylist(), places, encoded, split)


def unencoded(selection: Path, token_rows: Path, split: str) -> int:
    """How many kept clips of a split have no tokens."""
    tokens = rows.read(token_rows, columns=["clip", "status"]).to_pylist()
    encoded = {row["clip"] for row in tokens if row["status"] == rows.STATUS_OK}
    decided = rows.read(selection, columns=["clip", "kept", "split"]).to_pylist()
    return sum(row["kept"] and row["split"] == split and row["clip"] not in encoded for row in decided)


def read_packs(paths: Iterable[Path]) -> list[Sentence]:
    """All sentences of some packs, in the order given."""
    return [sentence for path in paths for sentence in read_protos(path)]
