"""What in `work/` can go without loss of a result, how much its going really frees, and what it costs."""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kaiku.housekeeping.accounts import File, files_in

LOSSES = {
    "leftovers": "nothing: killed processes left them half-written",
    "before a run": "nothing while the artefacts stand in data/; an artefact deleted since is then computed again",
    "attics": "a change undone (parameter, branch, clip) computes its items again",
    "older results": "a parameter changed back packs, trains, merges or evaluates again",
    "set-aside training": "those trainings cannot be taken up again where they stopped",
}
"""What can go, the cheapest first, and what is lost with it."""

_LEFT = re.compile(r"\..+\.\d+\.(part|old|link)")
_RECORDINGS = Path("data/raw")  # never written to
_ROOTS = ("data", "models", "results", "dist", "work")


@dataclass(frozen=True)
class Disposable:
    """A file or folder that can go; time: of its newest file, seconds since 1970."""

    kind: str
    path: Path
    files: tuple[File, ...]
    time: float


class Freed:
    """Bytes that removals free: a file is gone with its last name."""

    def __init__(self):
        self.bytes = 0
        self._removed: dict[tuple[int, int], int] = defaultdict(int)

    def add(self, files: Iterable[File]) -> int:
        """Remove some names; returns the bytes that this frees."""
        before = self.bytes
        for file in files:
            self._removed[file.inode] += 1
            self.bytes += file.size if self._removed[file.inode] == file.names else 0
        return self.bytes - before


def disposables(workspace: Path = Path()) -> list[Disposable]:
    """Everything that can go, the oldest first. The workspace must be quiet."""
    found = [_disposable(kind, path) for kind, path in _found(workspace)]
    inside = {item.path for item in found}
    outer = [item for item in found if inside.isdisjoint(item.path.parents)]
    return sorted(outer, key=lambda item: (item.time, item.path))


def choose(
    found: Iterable[Disposable], now: float, *, keep_bytes: int | None = None, older_s: float = 0.0
) -> list[Disposable]:
    """What is to go: the oldest of what is older than older_s, until all that can go takes keep_bytes at most."""
    found = list(found)
    everything, freed = Freed(), Freed()
    everything.add(file for item in found for file in item.files)
    chosen = []
    for item in found:
        if keep_bytes is not None and everything.bytes - freed.bytes <= keep_bytes:
            break
        if now - item.time >= older_s:
            freed.add(item.files)
            chosen.append(item)
    return chosen


def freed_by_kind(chosen: Iterable[Disposable]) -> dict[str, tuple[int, int]]:
    """Number of things and bytes that go, by kind in the order of LOSSES."""
    freed, by_kind = Freed(), {}
    for kind in LOSSES:
        items = [item for item in chosen if item.kind == kind]
        if items:
            by_kind[kind] = len(items), sum(freed.add(item.files) for item in items)
    return by_kind


def remove(chosen: Iterable[Disposable]) -> None:
    """Remove it from the disk, with folders that are empty then."""
    for item in chosen:
        shutil.rmtree(item.path) if item.path.is_dir() else item.path.unlink()
        if item.kind == "before a run":
            _remove_empty(item.path.parent)


def _found(workspace: Path) -> Iterator[tuple[str, Path]]:
    for root in _ROOTS:
        left = [path for path in (workspace / root).rglob(".*") if _LEFT.fullmatch(path.name)]
        yield from (("leftovers", path) for path in left if workspace / _RECORDINGS not in path.parents)
    carry = workspace / "work/carry"
    yield from (("leftovers", path) for path in carry.rglob("attic.new"))
    yield from (("before a run", path) for path in (workspace / "work/before").rglob("*") if path.is_file())
    yield from (("attics", path) for path in carry.rglob("attic") if path.is_file())
    for stage in sorted({path.parent.parent for path in carry.rglob("digest") if path.is_file()}):
        results = sorted((path.parent for path in stage.glob("[!.]*/digest")), key=lambda path: path.stat().st_mtime_ns)
        yield from (("older results", path) for path in results[:-1])
    yield from (("set-aside training", path) for path in (workspace / "work/runs").glob("*/set-aside/*"))


def _disposable(kind: str, path: Path) -> Disposable:
    files = tuple(files_in(path))
    return Disposable(kind, path, files, max((file.time for file in files), default=path.stat().st_mtime))


def _remove_empty(folder: Path) -> None:
    while folder.name != "work" and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
