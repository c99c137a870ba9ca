"""Files appear whole or not at all: write beside, fsync, rename."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def writing(path: Path, mode: str = "wb", **kwargs: Any) -> Iterator[IO]:
    """Open a file beside `path` that takes its place when the block ends well, and goes away when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, mode, **kwargs) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, path)
        fsync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path` that replaces it when the block ends well, and goes away when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        for f in beside.rglob("*"):
            if f.is_file():
                _fsync(f)
        if path.exists():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            shutil.rmtree(old, ignore_errors=True)  # of a killed process that had this number
            os.rename(path, old)
            os.rename(beside, path)
            shutil.rmtree(old)
        else:
            os.rename(beside, path)
        fsync_folder(path.parent)
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
    """Put `source` at `target` as a hard link that takes the place of what is there; a copy across file systems."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.link")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
        _fsync(beside)
    os.replace(beside, target)
    beside.unlink(missing_ok=True)  # rename(2) between two links of one file leaves both


def fsync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
