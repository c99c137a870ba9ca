"""Digests: one hash for content, one canonical form for parameters."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kaiku.listing import visible_files

BLOCK = 1 << 20


class Running:
    """A digest that grows as bytes come."""

    def __init__(self, start: bytes = b""):
        self._hash = hashlib.blake2b(start, digest_size=16)

    def update(self, data: bytes | memoryview) -> None:
        """Add bytes."""
        self._hash.update(data)

    def hex(self) -> str:
        """Hex BLAKE2b-128 of everything so far."""
        return self._hash.hexdigest()


def of_bytes(*parts: bytes | memoryview) -> str:
    """Hex BLAKE2b-128 of the parts end to end."""
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        h.update(part)
    return h.hexdigest()


def of_file(path: Path) -> str:
    """Hex BLAKE2b-128 of a file's bytes, read in blocks of 1 MiB."""
    h = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as f:
        while block := f.read(BLOCK):
            h.update(block)
    return h.hexdigest()


def of_tree(folder: Path, leave_out: Collection[str] = ()) -> str:
    """Digest of a folder: relative names and contents of its files in sorted order; hidden ones are left out."""
    names = [path.relative_to(folder).as_posix() for path in visible_files(folder)]
    names = [name for name in names if name not in leave_out]
    return of_value([[name, of_file(folder / name)] for name in names])


def of_value(value: Any) -> str:
    """Digest of a JSON value in canonical form (sorted keys, no spaces, NaN refused)."""
    return of_bytes(canonical(value).encode())


def canonical(value: Any) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
