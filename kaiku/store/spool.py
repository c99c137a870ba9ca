"""Payloads that wait on disk between being computed and being written, so that a long recording costs no memory."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Slice:
    """A payload in a spool file."""

    file: IO[bytes]
    offset: int
    size: int

    def __len__(self) -> int:
        return self.size

    def read(self) -> bytes:
        """The payload's bytes."""
        self.file.seek(self.offset)
        return self.file.read(self.size)


Payload = bytes | memoryview | Slice


class Spool:
    """A nameless temporary file that payloads of one item are put into; gone with the last slice."""

    def __init__(self, folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as its slices

    def add(self, payload: bytes) -> Slice:
        """Put a payload on disk."""
        offset = self._file.seek(0, 2)
        self._file.write(payload)
        return Slice(self._file, offset, len(payload))


def content(payload: Payload) -> bytes | memoryview:
    """The bytes of a payload, wherever it is."""
    return payload.read() if isinstance(payload, Slice) else payload
