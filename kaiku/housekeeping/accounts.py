"""What a workspace takes on the disk, kind by kind; a file with several names is counted once."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOTS = ("data", "models", "results", "dist", "work", "logs", ".snakemake", ".dvc")

KINDS = {
    "recordings": r"data/raw/",
    "manifests": r"data/manifests/",
    "segments": r"data/segments/",
    "transcripts": r"data/transcripts/",
    "measures": r"data/(measures|text_measures|comparisons)/",
    "descriptions": r"data/descriptions/",
    "selection": r"data/selection/",
    "tokens": r"data/tokens/",
    "packs": r"data/protos/",
    "fitted codecs": r"models/codecs/",
    "base models": r"models/base/",
    "merged models": r"models/[^/]+/merged/",
    "checkpoints": r"models/[^/]+/checkpoints/",
    "results": r"results/",
    "exports": r"dist/exports/",
    "packages": r"dist/",
    "training states": r"work/runs/",
    "attics": r"work/carry/.*/attic$",
    "carried over": r"work/carry/",
    "before a run": r"work/before/",
    "other state": r"work/",
    "logs": r"logs/",
    "Snakemake's records": r"\.snakemake/",
    "DVC's cache": r"\.dvc/",
    "other": r"",
}
"""Patterns of paths by kind; the first that matches counts, and a file with several names belongs to its first kind."""


@dataclass(frozen=True)
class File:
    """A name of a file: where, which file that is, its size in bytes, time (s) and number of names."""

    path: Path
    inode: tuple[int, int]
    size: int
    time: float
    names: int


@dataclass
class Account:
    """A kind's files and bytes; linked: bytes of files that an earlier kind counts already."""

    kind: str
    files: int = 0
    bytes: int = 0
    linked: int = 0


def accounts(workspace: Path = Path()) -> list[Account]:
    """Every kind that has files in a workspace, in the order of KINDS."""
    patterns = [(Account(kind), re.compile(pattern)) for kind, pattern in KINDS.items()]
    by_kind: dict[str, list[File]] = {}
    for file in files(workspace):
        path = file.path.relative_to(workspace).as_posix()
        kind = next(account.kind for account, pattern in patterns if pattern.match(path))
        by_kind.setdefault(kind, []).append(file)
    counted: set[tuple[int, int]] = set()
    for account, _ in patterns:
        for file in by_kind.get(account.kind, ()):
            if file.inode in counted:
                account.linked += file.size
            else:
                counted.add(file.inode)
                account.files, account.bytes = account.files + 1, account.bytes + file.size
    return [account for account, _ in patterns if account.files or account.linked]


def files(workspace: Path = Path()) -> Iterator[File]:
    """Every file of a workspace; what a link to a folder leads to is not its own, unless the link is a root."""
    for root in ROOTS:
        yield from files_in(workspace / root)


def files_in(folder: Path) -> Iterator[File]:
    """Every file under a folder, or the file itself."""
    if folder.is_file():
        yield _file(folder)
    for parent, _, names in os.walk(folder):
        yield from (_file(Path(parent, name)) for name in names if not os.path.islink(os.path.join(parent, name)))


def _file(path: Path) -> File:
    stat = path.stat()
    return File(path, (stat.st_dev, stat.st_ino), stat.st_size, stat.st_mtime, stat.st_nlink)
