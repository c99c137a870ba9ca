"""How two results differ: where, and by how much in numbers. What is equal bit for bit is not looked at further."""

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kaiku.store import rows
from kaiku.store.containers import Container, Npy, Tar

NO_RESULTS = {"run.json": "the seconds it took", "key.json": "the key it was made under"}
"""Files that tell of how a result was made and not what it is."""


@dataclass(frozen=True)
class Difference:
    """One place in which two results differ. size: the largest difference of numbers there; NaN where none is meant."""

    where: str
    what: str
    size: float = math.nan

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def largest(differences: Iterable[Difference]) -> float:
    """The largest difference of numbers; NaN where there is none."""
    return max((d.size for d in differences if not math.isnan(d.size)), default=math.nan)


def of_rows(where: str, stored: Iterable[Mapping[str, Any]], made: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Differences of the columns that both kinds of rows have, row by row."""
    stored, made = list(stored), list(made)
    if len(stored) != len(made):
        return [Difference(where, f"{len(made)} rows, stored are {len(stored)}")]
    return [found for before, now in zip(stored, made) for found in _of_row(where, before, now)]


def of_payloads(where: str, container: Container, stored: bytes, made: bytes) -> Difference:
    """How far two payloads that are not the same bytes are from each other: codes, or samples of the decoded audio."""
    before, now = _numbers(container, stored), _numbers(container, made)
    if before.shape != now.shape:
        return Difference(where, f"{list(now.shape)} numbers, stored are {list(before.shape)}")
    distance = np.abs(before - now)
    share = np.count_nonzero(distance) / max(distance.size, 1)
    size = float(distance.max(initial=0.0))
    return Difference(where, f"{share:.1%} of its {distance.size} numbers differ, by up to {size:g}", size)


def of_artefacts(stored: Path, made: Path) -> list[Difference]:
    """Differences of two files, or of two folders file by file."""
    if not stored.is_dir():
        return _of_files(stored, made)
    names = sorted({p.relative_to(root).as_posix() for root in (stored, made) for p in root.rglob("[!.]*")})
    found = []
    for name in names:
        before, now = stored / name, made / name
        if before.is_dir() or now.is_dir() or before.name in NO_RESULTS:
            continue
        if not (before.exists() and now.exists()):
            found.append(Difference(str(before), "is not made any more" if before.exists() else "was not made before"))
        else:
            found += _of_files(before, now)
    return found


def _of_files(stored: Path, made: Path) -> list[Difference]:
    if stored.read_bytes() == made.read_bytes():
        return []
    if stored.suffix == ".parquet":
        found = of_rows(str(stored), rows.read(stored).to_pylist(), rows.read(made).to_pylist())
    elif stored.suffix == ".json":
        before, now = (dict(_leaves(json.loads(path.read_text()))) for path in (stored, made))
        found = list(_of_row(str(stored), before, now)) if before.keys() == now.keys() else []
    else:
        found = []
    return found or [Difference(str(stored), "other bytes")]


def _of_row(where: str, stored: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[Difference]:
    for name in stored.keys() & made.keys():
        before, now = stored[name], made[name]
        if before == now or (before != before and now != now):  # NaN is the same as NaN
            continue
        numeric = all(isinstance(value, int | float) for value in (before, now))
        yield Difference(where, f"{name} is {now!r}, stored is {before!r}", abs(now - before) if numeric else math.nan)


def _numbers(container: Container, payload: bytes) -> np.ndarray:
    if isinstance(container, Npy):
        return np.frombuffer(payload, "<u2").astype(np.int64)
    if isinstance(container, Tar) and container.member_suffix == ".flac":
        import soundfile

        return soundfile.read(io.BytesIO(payload), dtype="float64")[0]
    return np.frombuffer(payload, np.uint8).astype(np.int64)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(child, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
