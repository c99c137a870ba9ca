"""Descriptions of a corpus' clips, read from its shards for comparing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kaiku.checks import Described
from kaiku.errors import KaikuError
from kaiku.store import rows
from kaiku.store.artefacts import DESCRIPTIONS, MEASURES


@dataclass(frozen=True)
class Compared:
    """One check of one clip: its measures, or the error that its description came to."""

    clip: str
    check: str
    measures: dict[str, float | None]
    error: str = ""


def described(paths: Sequence[Path], check: str) -> Described:
    """All clips that one check could describe, in the order of their names: shards and their order do not matter."""
    table = pa.concat_tables([_of_check(path, check) for path in paths])
    table = table.filter(pc.is_valid(table["vector"])).sort_by("clip").combine_chunks()
    widths = pc.unique(pc.list_value_length(table["vector"])).to_pylist()
    if len(widths) > 1:
        raise KaikuError(f"check {check}: vectors of {sorted(widths)} numbers", expected="one length for all clips")
    numbers = pc.list_flatten(table["vector"]).to_numpy()
    vectors = numbers.reshape(len(table), widths[0] if widths else 0)
    return Described(tuple(table["clip"].to_pylist()), tuple(table["speaker"].to_pylist()), vectors)


def clips_of(path: Path, check: str) -> list[tuple[str, str]]:
    """A shard's clips in their order, each with the error that describing it came to, empty where it went well."""
    table = _of_check(path, check)
    return list(zip(table["clip"].to_pylist(), table["error"].to_pylist(), strict=True))


def _of_check(path: Path, check: str) -> pa.Table:
    table = rows.read(path, DESCRIPTIONS)
    return table.filter(pc.ends_with(table["item"], f":{check}"))  # the column `check` is empty where it failed


def write(path: Path, compared: Sequence[Compared]) -> None:
    """Write a shard's comparisons as measures."""
    rows.write(path, rows.table((row for one in compared for row in _rows(one)), MEASURES))


def _rows(one: Compared) -> list[dict[str, Any]]:
    same = {"item": f"{one.clip}:{one.check}", "key": "", "error": one.error, "clip": one.clip}
    if one.error:
        return [{**same, "status": rows.STATUS_FAILED}]
    same |= {"status": rows.STATUS_OK, "check": one.check}
    return [{**same, "measure": name, "value": value} for name, value in sorted(one.measures.items())]
