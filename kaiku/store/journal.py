"""The journal: finished items on disk as soon as each is done, readable up to the last whole record after any death.

A record is `<IIQ`: format, lengths of header and payload, the header as JSON, the payload, and the BLAKE2b-128 of both.
"""

import json
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaiku.store import atomic, digest
from kaiku.store.spool import Payload, content

FORMAT = 1
SYNC_EVERY_S = 5.0
"""A power cut loses at most the work of this many seconds; a killed process loses only the item in flight."""
_LENGTHS = struct.Struct("<IIQ")
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Record:
    """One finished item: its key, rows, and where each row's payload lies in the file (offset, size; size -1: none)."""

    key: str
    status: str
    error: str
    rows: list[dict[str, Any]]
    places: list[tuple[int, int]] = field(default_factory=list)


class Journal:
    """An append-only file of finished items."""

    def __init__(self, path: Path):
        self.path = path
        self._file = None
        self._synced = time.monotonic()

    def read(self) -> Iterator[Record]:
        """Whole records in order; what follows the last whole one (a write cut off) is cut away by `append`."""
        for record, _ in self._scan():
            yield record

    def keys(self) -> list[str]:
        """Keys of its records by their headers alone: no payload is read, none is verified."""
        keys: list[str] = []
        if not self.path.exists():
            return keys
        size = self.path.stat().st_size
        with open(self.path, "rb") as f:
            while len(lengths := f.read(_LENGTHS.size)) == _LENGTHS.size:
                version, header_size, body_size = _LENGTHS.unpack(lengths)
                end = f.tell() + header_size + body_size + _DIGEST_BYTES
                if version != FORMAT or end > size:
                    break
                try:
                    keys.append(json.loads(f.read(header_size))["key"])
                except (ValueError, KeyError, TypeError):  # damaged: `read` ends before it, too
                    break
                f.seek(end)
        return keys

    def append(
        self, key: str, status: str, error: str, rows: list[dict[str, Any]], payloads: list[Payload | None]
    ) -> Record:
        """Write one finished item through to the operating system."""
        f = self._open()
        sizes = [-1 if p is None else len(p) for p in payloads]
        header = json.dumps({"key": key, "status": status, "error": error, "rows": rows, "sizes": sizes}).encode()
        at = f.tell() + _LENGTHS.size + len(header)
        check = digest.Running(header)
        f.write(_LENGTHS.pack(FORMAT, len(header), sum(max(size, 0) for size in sizes)))
        f.write(header)
        for payload in payloads:
            if payload is not None:
                data = content(payload)
                check.update(data)
                f.write(data)
        f.write(bytes.fromhex(check.hex()))
        f.flush()
        if time.monotonic() - self._synced > SYNC_EVERY_S:
            os.fsync(f.fileno())
            self._synced = time.monotonic()
        return Record(key, status, error, rows, _places(sizes, at))

    def payload(self, place: tuple[int, int]) -> bytes | None:
        """Bytes of one payload."""
        offset, size = place
        if size < 0:
            return None
        with open(self.path, "rb") as f:
            f.seek(offset)
            return f.read(size)

    def close(self) -> None:
        """Make what was appended durable."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the file: its items stand in the committed artefact now."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self):
        if self._file is None:
            atomic.make_folder(self.path.parent)
            whole = max((end for _, end in self._scan()), default=0)
            self._file = open(self.path, "ab")  # noqa: SIM115 - closed by close()
            self._file.truncate(whole)
            self._file.seek(whole)
            atomic.fsync(self.path.parent)
        return self._file

    def _scan(self) -> Iterator[tuple[Record, int]]:
        """Each whole record with the offset of its end."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as f:
            while len(lengths := f.read(_LENGTHS.size)) == _LENGTHS.size:
                version, header_size, body_size = _LENGTHS.unpack(lengths)
                body_at = f.tell() + header_size
                if version != FORMAT or body_at + body_size + _DIGEST_BYTES > os.fstat(f.fileno()).st_size:
                    return
                header = f.read(header_size)
                check = digest.Running(header)
                for size in _blocks(body_size):
                    check.update(f.read(size))
                if f.read(_DIGEST_BYTES).hex() != check.hex():
                    return
                value = json.loads(header)
                places = _places(value.pop("sizes"), body_at)
                yield Record(**value, places=places), f.tell()


def _blocks(size: int) -> Iterator[int]:
    while size > 0:
        yield min(size, digest.BLOCK)
        size -= digest.BLOCK


def _places(sizes: list[int], at: int) -> list[tuple[int, int]]:
    places = []
    for size in sizes:
        places.append((at, size))
        at += max(size, 0)
    return places
