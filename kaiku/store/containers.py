"""Payload containers that stand beside a row artefact: a plain tar of files, one long `.npy` of tokens, or nothing.

A container writes payloads in row order and gives each row its locator columns; reading goes by those columns alone.
Bytes depend on the payloads and names only.
"""

import io
import os
import tarfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import atomic

BLOCK = tarfile.BLOCKSIZE
BUFFER = 1 << 16


class Container(Protocol):
    """How payloads of rows are kept in one file."""

    suffix: str
    columns: tuple[tuple[str, pa.DataType], ...]

    def write(self, path: Path, payloads: Iterable[tuple[str, bytes | None]]) -> list[tuple[int, int]]:
        """Write (member name, payload) pairs; returns the two locator values of each."""

    def open(self, path: Path) -> Callable[[Any, Any], bytes]:
        """A reader: locator values -> payload bytes. Raises CorruptFile where they point outside the file."""


class Tar:
    """FLAC members in a plain ustar archive (WebDataset naming): `offset` and `size` of each payload in bytes."""

    suffix = ".tar"
    columns: tuple[tuple[str, pa.DataType], ...] = (("offset", pa.int64()), ("size", pa.int64()))

    def __init__(self, member_suffix: str):
        self.member_suffix = member_suffix

    def write(self, path: Path, payloads: Iterable[tuple[str, bytes | None]]) -> list[tuple[int, int]]:
        """Members in order, times and owners zero; a row without payload gets (-1, 0)."""
        places = []
        with atomic.writing(path, buffering=BUFFER) as f:
            for name, payload in payloads:
                if payload is None:
                    places.append((-1, 0))
                    continue
                header = _tar_header(name + self.member_suffix, len(payload))
                places.append((f.tell() + len(header), len(payload)))
                f.writelines((header, payload, b"\0" * (-len(payload) % BLOCK)))
            f.write(b"\0" * 2 * BLOCK)
        return places

    def open(self, path: Path) -> Callable[[int, int], bytes]:
        """Reader by (offset, size)."""
        content = _Bytes(path)

        def read(offset: int, size: int) -> bytes:
            if not 0 <= offset <= offset + size <= content.size:
                raise CorruptFile(f"{path}: bytes {offset}..{offset + size} of {content.size}", remedy=_REMAKE)
            return content.read(offset, size)

        return read


class Npy:
    """Token rows of all clips end to end in a `.npy`, uint16 [frames, codebooks]: `first` row and `frames` of each."""

    suffix = ".npy"
    columns: tuple[tuple[str, pa.DataType], ...] = (("first", pa.int64()), ("frames", pa.int64()))

    def __init__(self, width: int):
        self.width = width

    def write(self, path: Path, payloads: Iterable[tuple[str, bytes | None]]) -> list[tuple[int, int]]:
        """Payloads are C-ordered uint16 [frames, width] bytes; a row without payload gets (-1, 0)."""
        places, first = [], 0
        with atomic.writing(path, buffering=BUFFER) as f:
            f.write(self._header(0))
            for name, payload in payloads:
                if payload is None:
                    places.append((-1, 0))
                    continue
                frames, rest = divmod(len(payload), 2 * self.width)
                if rest:
                    raise KaikuError(f"{name}: {len(payload)} bytes of codes", expected=f"rows of {self.width} uint16")
                f.write(payload)
                places.append((first, frames))
                first += frames
            f.seek(0)
            f.write(self._header(first))
        return places

    def open(self, path: Path) -> Callable[[int, int], bytes]:
        """Reader by (first, frames)."""
        content, start, row = _Bytes(path), len(self._header(0)), 2 * self.width
        shape = read_npy_shape(path)
        if shape[1:] != (self.width,) or start + shape[0] * row != content.size:
            raise CorruptFile(
                f"{path}: shape {shape} in {content.size} bytes", expected=f"[frames, {self.width}]", remedy=_REMAKE
            )

        def read(first: int, frames: int) -> bytes:
            if not 0 <= first <= first + frames <= shape[0]:
                raise CorruptFile(f"{path}: rows {first}..{first + frames} of {shape[0]}", remedy=_REMAKE)
            return content.read(start + first * row, frames * row)

        return read

    def _header(self, frames: int) -> bytes:
        out = io.BytesIO()
        # The header's padding leaves room for the shape to grow in place (NumPy reserves it for the first axis).
        np.lib.format.write_array_header_1_0(
            out, {"descr": "<u2", "fortran_order": False, "shape": (frames, self.width)}
        )
        return out.getvalue()


def read_npy_shape(path: Path) -> tuple[int, ...]:
    """Shape by the header of a `.npy` file; CorruptFile where there is none."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).shape
    except Exception as error:  # a header is parsed as Python: damaged, it raises whatever Python does
        raise CorruptFile(f"{path}: not a whole .npy file ({error})", remedy=_REMAKE) from error


def _tar_header(name: str, size: int) -> bytes:
    """Header of a tar member, times and owners zero: what TarInfo makes, which takes longer than short clips' bytes."""
    raw = name.encode()
    if not name.isascii() or len(raw) > _PLAIN_NAME or size > _PLAIN_SIZE or "/" in name:
        info = tarfile.TarInfo(name)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT)
    digits = b"%011o" % size
    checksum = _PLAIN_SUM + sum(raw) + sum(digits)
    return b"".join((raw.ljust(100, b"\0"), _BEFORE_SIZE, digits, _AFTER_SIZE, b"%06o\0 " % checksum, _AFTER_SUM))


_PLAIN_NAME, _PLAIN_SIZE = 100, 0o77777777777
_PLAIN = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)
_BEFORE_SIZE, _AFTER_SIZE, _AFTER_SUM = _PLAIN[100:124], _PLAIN[135:148], _PLAIN[156:]
_PLAIN_SUM = sum(_BEFORE_SIZE) + sum(_AFTER_SIZE) + 8 * ord(" ") + sum(_AFTER_SUM)


_REMAKE = "Delete the file; the next run makes it again from what is kept."


class _Bytes:
    """A file's bytes by span, read as they are asked for: pages of a map would count as memory in use."""

    def __init__(self, path: Path):
        self.path, self._file = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self.size = os.fstat(self._file).st_size
        if not self.size:
            raise CorruptFile(f"{path}: 0 bytes", remedy=_REMAKE)

    def read(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on, all of them."""
        found = os.pread(self._file, size, start)
        if len(found) != size:
            raise CorruptFile(f"{self.path}: bytes {start}..{start + size} of {self.size}", remedy=_REMAKE)
        return found
