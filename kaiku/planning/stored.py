"""What is there under which key, read from rows and journals alone: no payload is opened, none is verified."""

from dataclasses import dataclass
from pathlib import Path

from kaiku.errors import CorruptFile
from kaiku.store import rows
from kaiku.store.items import Artefact
from kaiku.store.journal import Journal


@dataclass(frozen=True)
class Published:
    """A shard's artefact as it stands: key by item, in its order, and the items that failed, with their errors."""

    keys: dict[str, str]
    failed: dict[str, str]


def published(rows_path: Path) -> Published:
    """What stands in a rows file; nothing where there is none, or none that can be read."""
    keys: dict[str, str] = {}
    failed: dict[str, str] = {}
    for item, key, status, error in _bookkeeping(rows_path):
        keys[item] = key
        if status == rows.STATUS_FAILED:
            failed[item] = error
    return Published(keys, failed)


def kept_keys(artefact: Artefact) -> set[str]:
    """Keys of all items that a job would find: what is published, the last generation, its journal and attic.

    As `kaiku.store.items` looks for them, but for damage: a payload that does not match its digest is made again.
    """
    found = set(_whole_keys(artefact.rows_path, artefact.data_path))
    for generation in artefact.carry.glob("g[0-9]*"):
        found |= _whole_keys(generation / "rows.parquet", generation / "data" if artefact.data_path else None)
    for name in ("journal", "attic"):
        found.update(Journal(artefact.carry / name).keys())
    return found


def _whole_keys(rows_path: Path, data_path: Path | None) -> set[str]:
    if data_path is not None and not data_path.exists():
        return set()
    return {key for _, key, status, _ in _bookkeeping(rows_path) if status != rows.STATUS_FAILED}


def _bookkeeping(rows_path: Path) -> list[tuple[str, str, str, str]]:
    if not rows_path.is_file() or not rows_path.stat().st_size:  # an empty one marks an output as incomplete
        return []
    try:
        table = rows.read(rows_path, columns=["item", "key", "status", "error"])
    except CorruptFile:
        return []
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
