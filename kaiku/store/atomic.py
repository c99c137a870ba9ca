"""Files appear whole or not at all, and stay through a power cut: write beside, fsync, rename, fsync the folder."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def writing(path: Path, mode: str = "wb", **kwargs: Any) -> Iterator[IO]:
    """Open a file beside `path` that takes its place when the block ends well, and goes away when it does not."""
    make_folder(path.parent)
    beside = _beside(path, "part")
    try:
        with open(beside, mode, **kwargs) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, path)
        fsync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path` that replaces it when the block ends well, and goes away when it does not."""
    make_folder(path.parent)
    beside, old = _beside(path, "part"), _beside(path, "old")
    for left in (beside, old):  # by a killed process that had this number
        shutil.rmtree(left, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        for member in (beside, *beside.rglob("*")):
            if member.is_file() or member.is_dir():
                fsync(member)
        if path.exists():
            os.rename(path, old)
        os.rename(beside, path)
        fsync(path.parent)
        if old.exists():
            shutil.rmtree(old)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file."""
    with writing(path) as f:
        f.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON with sorted keys (NaN refused)."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_text_if_changed(path: Path, text: str) -> bool:
    """Write only where the content differs, so that an unchanged file keeps its times. True if written."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True


def link(source: Path, target: Path) -> None:
    """Put `source` at `target` as a hard link that takes the place of what is there; a copy across file systems.

    The name stays through a power cut once its folder is synced: one `fsync` for all links into it.
    """
    make_folder(target.parent)
    beside = _beside(target, "link")
    beside.unlink(missing_ok=True)
    try:
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)
            fsync(beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)  # rename(2) between two links of one file leaves both


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, to stay; one that is there costs nothing."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        fsync(path.parent)


def fsync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sweep(path: Path) -> None:
    """Remove what killed processes left beside `path`.

    The caller must hold the lock under which alone `path` is written: then whoever began these files is dead. A process
    number would not tell, for it may be another's by now, or another machine's.
    """
    left = re.compile(rf"\.{re.escape(path.name)}\.\d+\.(part|old|link)")
    for beside in path.parent.glob(".*"):
        if left.fullmatch(beside.name):
            if beside.is_dir():
                shutil.rmtree(beside)
            else:
                beside.unlink()


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{what}")
