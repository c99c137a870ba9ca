"""Payload containers that stand beside a row artefact: a plain tar of files, one long `.npy` of tokens, or nothing.

A container writes payloads in row order and gives each row its locator columns; reading goes by those columns alone,
through a memory map. Bytes depend on the payloads and names only.
"""

import io
import mmap
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import atomic

BLOCK = tarfile.BLOCKSIZE


class Container(Protocol):
    """How payloads of rows are kept in one file."""

    suffix: str
    columns: tuple[tuple[str, pa.DataType], ...]

    def write(self, path: Path, payloads: Iterable[tuple[str, bytes | None]]) -> list[tuple[int, int]]:
        """Write (member name, payload) pairs; returns the two locator values of each."""

    def open(self, path: Path) -> Callable[[Any, Any], memoryview]:
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
        with atomic.writing(path) as f:
            for name, payload in payloads:
                if payload is None:
                    places.append((-1, 0))
                    continue
                info = tarfile.TarInfo(name + self.member_suffix)
                info.size = len(payload)
                f.write(info.tobuf(tarfile.PAX_FORMAT))
                places.append((f.tell(), len(payload)))
                f.write(payload)
                f.write(b"\0" * (-len(payload) % BLOCK))
            f.write(b"\0" * 2 * BLOCK)
        return places

    def open(self, path: Path) -> Callable[[int, int], memoryview]:
        """Reader by (offset, size)."""
        view = _map(path)

        def read(offset: int, size: int) -> memoryview:
            if not 0 <= offset <= offset + size <= len(view):
                raise CorruptFile(f"{path}: bytes {offset}..{offset + size} of {len(view)}", remedy=_REMAKE)
            return view[offset : offset + size]

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
        with atomic.writing(path) as f:
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

    def open(self, path: Path) -> Callable[[int, int], memoryview]:
        """Reader by (first, frames)."""
        view, start, row = _map(path), len(self._header(0)), 2 * self.width
        shape = read_npy_shape(path)
        if shape[1:] != (self.width,) or start + shape[0] * row != len(view):
            raise CorruptFile(
                f"{path}: shape {shape} in {len(view)} bytes", expected=f"[frames, {self.width}]", remedy=_REMAKE
            )

        def read(first: int, frames: int) -> memoryview:
            if not 0 <= first <= first + frames <= shape[0]:
                raise CorruptFile(f"{path}: rows {first}..{first + frames} of {shape[0]}", remedy=_REMAKE)
            return view[start + first * row : start + (first + frames) * row]

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
    except (ValueError, OSError, EOFError) as error:
        raise CorruptFile(f"{path}: not a whole .npy file ({error})", remedy=_REMAKE) from error


_REMAKE = "Delete the file; the next run makes it again from what is kept."


def _map(path: Path) -> memoryview:
    with open(path, "rb") as f:
        if f.seek(0, io.SEEK_END) == 0:
            raise CorruptFile(f"{path}: 0 bytes", remedy=_REMAKE)
        return memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
