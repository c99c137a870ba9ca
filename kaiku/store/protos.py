"""Packs: fish-speech's `.protos` container, read and written without a protobuf library.

A file is a row of messages, each after its length as a little-endian uint32. Upstream's schema (proto3):

    TextData  { string source = 1; string name = 2; repeated Sentence sentences = 4; }
    Sentence  { repeated string texts = 1; repeated Semantics semantics = 3; }     one Semantics per codebook
    Semantics { repeated uint32 values = 1 [packed]; }
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

import numpy as np

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import atomic
from kaiku.store.wire import BadWire, decode_varints, encode_varints, field, fields, text_of, varint_size

FORMAT = 1
MESSAGE_BYTES = 10_000_000  # a reader holds whole messages: a speaker with more becomes several of them
CHUNK = 256  # sentences whose codes are encoded by one numpy call

# A tag is (field number << 3) | wire type; type 2 is "length, then that many bytes".
SOURCE, NAME, SENTENCE = 0x0A, 0x12, 0x22
TEXT, SEMANTICS = 0x0A, 0x1A
VALUES = 0x0A
CODEBOOK_HEADER = 4  # SEMANTICS, its length, VALUES, its length: all four are varints themselves

BRACED = re.compile(r"\{.*?\}")
ANGLED = re.compile(r"<.*?>")
SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What training sees of one clip; codes: uint16 [frames, codebooks]."""

    speaker: str
    text: str
    codes: np.ndarray


@dataclass(frozen=True, slots=True)
class Group:
    """The sentences of one speaker of one corpus (`source`): one TextData message, or several where it is large."""

    source: str
    speaker: str
    sentences: Sequence[Sentence]


def group_by_speaker(source: str, sentences: Iterable[Sentence]) -> list[Group]:
    """One group per speaker, speakers in sorted order, sentences in the order given."""
    by_speaker = sorted(sentences, key=lambda s: s.speaker)
    return [Group(source, name, list(group)) for name, group in groupby(by_speaker, key=lambda s: s.speaker)]


def clean_text(text: str) -> str:
    """Text as upstream packs it: no {braces}, no <tags> (so no text can hold a special token), single spaces."""
    text = BRACED.sub(" ", text)
    text = ANGLED.sub(" ", text)
    return SPACES.sub(" ", text)


def write_protos(
    path: Path,
    groups: Iterable[Group],
    *,
    clean: Callable[[str], str] = clean_text,
    message_bytes: int = MESSAGE_BYTES,
) -> int:
    """Write a pack and return its number of sentences; same content, same bytes.

    clean: applied to every text. message_bytes: a group is split before the sentence that would pass this size.
    Raises KaikuError where codes are not uint16 [frames, codebooks].
    """
    written = 0
    with atomic.writing(path) as f:
        for group in groups:
            written += _write_group(f, group, clean, message_bytes)
    return written


def read_protos(path: Path) -> Iterator[Sentence]:
    """The sentences of a pack in file order. Raises CorruptFile, with the offset, where the bytes are no such pack."""
    for group in read_groups(path):
        yield from group.sentences


def read_groups(path: Path) -> Iterator[Group]:
    """The messages of a pack in file order. Raises CorruptFile, with the offset, where the bytes are no such pack."""
    with open(path, "rb") as f:
        offset = 0
        while header := f.read(4):
            message = f.read(struct.unpack("<I", header)[0]) if len(header) == 4 else b""
            if len(header) < 4 or len(message) < struct.unpack("<I", header)[0]:
                raise CorruptFile(
                    f"{path} ends inside the message that begins at byte {offset}",
                    expected="whole messages to the end of the file",
                    remedy="Make the pack again; the file was cut off.",
                )
            try:
                yield _read_group(message)
            except BadWire as fault:
                raise CorruptFile(
                    f"{path}: {fault.what} at byte {offset + 4 + fault.offset}",
                    expected="fish-speech TextData messages",
                    remedy="Make the pack again, or remove the file if it is no pack.",
                ) from fault
            offset += 4 + len(message)


# --- writing


def _write_group(f: IO[bytes], group: Group, clean: Callable[[str], str], message_bytes: int) -> int:
    named = ((SOURCE, group.source), (NAME, group.speaker))
    head = b"".join(field(tag, name.encode()) for tag, name in named if name)  # proto3 leaves empty strings out
    parts, size = [head], len(head)
    for start in range(0, len(group.sentences), CHUNK):
        for sentence in _sentence_messages(group.sentences[start : start + CHUNK], clean):
            if len(parts) > 1 and size + len(sentence) > message_bytes:
                _write_message(f, parts, size)
                parts, size = [head], len(head)
            parts.append(sentence)
            size += len(sentence)
    if len(parts) > 1:
        _write_message(f, parts, size)
    return len(group.sentences)


def _write_message(f: IO[bytes], parts: list[bytes], size: int) -> None:
    f.write(struct.pack("<I", size))
    f.writelines(parts)


def _sentence_messages(sentences: Sequence[Sentence], clean: Callable[[str], str]) -> Iterator[bytes]:
    for sentence in sentences:
        _check_codes(sentence)
    codes, ends = _encode_codes([sentence.codes for sentence in sentences])
    start = 0
    for sentence, end in zip(sentences, ends):
        text = clean(sentence.text).encode()
        yield field(SENTENCE, field(TEXT, text), codes[start:end])
        start = end


def _encode_codes(clips: list[np.ndarray]) -> tuple[bytes, list[int]]:
    """The Semantics fields of all clips end to end, and the byte at which each clip's end.

    Tags and lengths of the wire format are varints like the codes, so each codebook's header is written into the
    stream of numbers, and one call turns everything into bytes.
    """
    codebooks = [clip.shape[1] for clip in clips]
    row_frames = np.repeat([clip.shape[0] for clip in clips], codebooks)  # [R]: one row per clip and codebook
    row_ends = np.cumsum(row_frames + CODEBOOK_HEADER)
    row_starts = row_ends - row_frames - CODEBOOK_HEADER
    last_rows = np.cumsum(codebooks) - 1  # of each clip
    numbers = np.zeros(int(row_ends[-1]), np.uint32)
    start = 0
    for clip, end in zip(clips, row_ends[last_rows].tolist()):
        numbers[start:end].reshape(clip.shape[1], -1)[:, CODEBOOK_HEADER:] = clip.T
        start = end
    header_and_values = np.stack([row_starts, row_starts + CODEBOOK_HEADER], 1).reshape(-1)
    values_size = np.add.reduceat(varint_size(numbers), header_and_values, dtype=np.int64)[1::2]
    values_field_size = 1 + varint_size(values_size) + values_size
    numbers[row_starts] = SEMANTICS
    numbers[row_starts + 1] = values_field_size
    numbers[row_starts + 2] = VALUES
    numbers[row_starts + 3] = values_size
    byte_ends = np.cumsum(1 + varint_size(values_field_size) + values_field_size)[last_rows]
    return encode_varints(numbers), byte_ends.tolist()


def _check_codes(sentence: Sentence) -> None:
    codes = sentence.codes
    if codes.dtype != np.uint16 or codes.ndim != 2 or codes.shape[0] == 0 or codes.shape[1] == 0:
        raise KaikuError(
            f"codes of {sentence.speaker!r}, {sentence.text!r}: {codes.dtype} {list(codes.shape)}",
            expected="uint16 [frames, codebooks] with at least one frame",
        )


# --- reading


def _read_group(message: bytes) -> Group:
    source = name = ""
    spans = []
    for tag, start, end in fields(message, 0, len(message)):
        if tag == SOURCE:
            source = text_of(message, start, end)
        elif tag == NAME:
            name = text_of(message, start, end)
        elif tag == SENTENCE:
            spans.append((start, end))
        else:
            raise BadWire(f"unknown field 0x{tag:02x} in a TextData", start)
    chunks = (spans[i : i + CHUNK] for i in range(0, len(spans), CHUNK))
    return Group(source, name, [s for chunk in chunks for s in _read_sentences(message, chunk, name)])


def _read_sentences(message: bytes, spans: list[tuple[int, int]], speaker: str) -> list[Sentence]:
    texts, codebooks, rows = [], [], []  # rows: byte span of the packed values of every codebook of every sentence
    for start, end in spans:
        text, count = "", 0
        for tag, field_start, field_end in fields(message, start, end):
            if tag == TEXT:
                text += text_of(message, field_start, field_end)
            elif tag == SEMANTICS:
                rows.append(_values_span(message, field_start, field_end))
                count += 1
            else:
                raise BadWire(f"unknown field 0x{tag:02x} in a Sentence", field_start)
        texts.append(text)
        codebooks.append(count)
    values, row_ends = _read_values(message, rows)
    sentences, first, value = [], 0, 0
    for (start, _), text, count in zip(spans, texts, codebooks):
        ends = row_ends[first : first + count]
        frames = (ends[0] - value) if count else 0
        if not frames or [value + frames * (i + 1) for i in range(count)] != ends:
            raise BadWire("a Sentence whose codebooks are empty or differ in length", start)
        codes = np.ascontiguousarray(values[value : ends[-1]].reshape(count, frames).T)  # [frames, codebooks]
        sentences.append(Sentence(speaker, text, codes))
        first, value = first + count, ends[-1]
    return sentences


def _read_values(message: bytes, rows: list[tuple[int, int]]) -> tuple[np.ndarray, list[int]]:
    """The codes of all rows end to end as uint16, and where each row ends among them."""
    packed = np.frombuffer(b"".join([message[start:end] for start, end in rows]), np.uint8)
    byte_ends = np.cumsum([end - start for start, end in rows], dtype=np.int64)
    for (_, end), byte_end in zip(rows, byte_ends.tolist()):
        if byte_end and packed[byte_end - 1] > 127:
            raise BadWire("a number that runs over the end of its codebook", end - 1)
    values, last_bytes = decode_varints(packed)
    above = values > np.iinfo(np.uint16).max
    if above.any():
        row = np.searchsorted(byte_ends, last_bytes[np.argmax(above)], side="right")
        raise BadWire("a code above 65535 in the codebook that begins", rows[int(row)][0])
    return values.astype(np.uint16), np.searchsorted(last_bytes, byte_ends).tolist()


def _values_span(message: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the packed values of a Semantics stand."""
    found = list(fields(message, start, end))
    if not found:
        return start, start
    if len(found) > 1 or found[0][0] != VALUES:
        raise BadWire("a Semantics that is not one packed list of numbers", start)
    return found[0][1:]
