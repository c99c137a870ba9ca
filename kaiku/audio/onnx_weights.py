"""The weights in an ONNX file, as arrays by name: just enough of protobuf's wire format for that.

ONNX (onnx.proto): ModelProto.graph = 7; GraphProto.initializer = 5; TensorProto dims = 1, data_type = 2 (1: float32),
name = 8, raw_data = 9.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kaiku.errors import CorruptFile

_FLOAT32 = 1
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Every float32 initializer of the model's graph that is stored raw, by name."""
    weights: dict[str, np.ndarray] = {}
    try:
        for number, graph in _fields(memoryview(path.read_bytes())):
            if number == 7:
                weights.update(_tensor(part) for name, part in _fields(graph) if name == 5)
    except (IndexError, ValueError) as error:
        raise CorruptFile(f"{path}: not an ONNX model ({error})", remedy="Install silero-vad again.") from error
    return {name: array for name, array in weights.items() if array.size}


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    name, kind, raw = "", _FLOAT32, b""
    for number, value in _fields(message):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2:
            kind = value
        elif number == 8:
            name = bytes(value).decode()
        elif number == 9:
            raw = bytes(value)
    if kind != _FLOAT32 or not raw:
        return name, np.zeros(0, np.float32)
    return name, np.frombuffer(raw, "<f4").reshape(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
