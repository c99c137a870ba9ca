"""Protocol buffers' wire format, as far as packs need it: fields with a length, and varints by the array.

A varint is a number in groups of seven bits, the lowest first, the top bit of a byte set where more bytes follow.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

import numpy as np

TOO_LARGE = 2**32 - 1  # what decode_varints makes of a number of more than four bytes


def varint_size(numbers: np.ndarray) -> np.ndarray:
    """Bytes that each number below 2**28 takes, uint8, same shape."""
    size = np.ones(numbers.shape, np.uint8)
    largest = int(numbers.max(initial=0))
    for bits in (7, 14, 21):
        if largest >> bits == 0:
            break
        size += numbers >= 1 << bits
    return size


def encode_varints(numbers: np.ndarray) -> bytes:
    """The bytes of uint32 `numbers`, each below 2**28, end to end."""
    width = int(varint_size(numbers.max(initial=0, keepdims=True))[0])
    table = np.empty((len(numbers), width), np.uint8)  # [N, width]: each number's bytes, then bytes to leave out
    taken = np.ones((len(numbers), width), bool)
    rest = numbers
    for i in range(width):
        np.copyto(table[:, i], rest & np.uint32(127), casting="unsafe")
        rest = rest >> np.uint32(7)
        more = rest != 0
        table[:, i] |= more.view(np.uint8) << np.uint8(7)
        if i + 1 < width:
            taken[:, i + 1] = more
    return table[taken].tobytes()


def decode_varints(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in uint8 `data`, which ends with a whole one, as uint32, and the index of each number's last byte."""
    last = np.flatnonzero(data < 128)
    size = np.diff(last, prepend=-1)
    numbers = data[last].astype(np.uint32)
    for i in range(1, min(int(size.max(initial=0)), 4)):  # from the highest seven bits down
        longer = np.flatnonzero(size > i)
        numbers[longer] = numbers[longer] << np.uint32(7) | data[last[longer] - i] & np.uint8(127)
    numbers[size > 4] = TOO_LARGE
    return numbers, last


class BadWire(Exception):
    """What is wrong in a message, and at which of its bytes."""

    def __init__(self, what: str, offset: int):
        super().__init__(what)
        self.what, self.offset = what, offset


def field(tag: int, *data: bytes) -> bytes:
    """A field with a length, of all the data end to end."""
    return b"".join((bytes([tag]), varint(sum(map(len, data))), *data))


def varint(number: int) -> bytes:
    """One number as a varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def fields(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag and byte span of each field between two offsets. Raises BadWire where one has no length or runs over."""
    while start < end:
        tag = message[start]
        if tag & 7 != 2:
            raise BadWire(f"wire type {tag & 7} where only fields with a length stand", start)
        length, data = _read_varint(message, start + 1, end)
        if data + length > end:
            raise BadWire(f"a field of {length} bytes that runs over its message", start)
        yield tag, data, data + length
        start = data + length


def text_of(message: bytes, start: int, end: int) -> str:
    """A string field. Raises BadWire where it is not UTF-8."""
    try:
        return message[start:end].decode()
    except UnicodeDecodeError as fault:
        raise BadWire("text that is not UTF-8", start + fault.start) from fault


def _read_varint(message: bytes, start: int, end: int) -> tuple[int, int]:
    number = 0
    for i in range(start, min(end, start + 5)):
        number |= (message[i] & 127) << 7 * (i - start)
        if message[i] < 128:
            return number, i + 1
    raise BadWire("a length that does not end", start)
