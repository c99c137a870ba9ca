"""What the first and last bytes of a file say about its length, where the decoding libraries do not tell or err."""

import re
import struct
from pathlib import Path

MP3_LENGTH_TAG = re.compile(rb"Xing|Info")
MP3_TRIMMED_BY = re.compile(rb"LAME|Lavf|Lavc")  # encoders whose delay and padding libav takes off
MP3_TAG_FIELDS = {1: 4, 2: 4, 4: 100, 8: 4}  # flag -> bytes: frames, bytes, table of contents, quality
MP3_TRIM_AT = 21  # bytes behind the encoder's name begins
ID3V1_BYTES = 128
STREAMED_SIZE = 0x7FFFF000  # writers that could not know the size leave 0 or a value from here up
STREAMED_LONG_SIZE = 1 << 62  # the same of sizes of 64 bits


def mp3_frames(path: Path) -> int | None:
    """Samples per channel that the length tag of an mp3 promises; None without the tag.

    The tag stands in the first MPEG frame: "Xing" or "Info", 32 bits of flags, and if flag 1 is set the number of MPEG
    frames, if flag 2 is set that of bytes from this frame on, in 32 bits each. Behind may stand the encoder's name, and
    how many samples it put before and behind the sound, in 12 bits each. Source: LAME's VbrTag.c; ISO/IEC 11172-3 and
    13818-3 for the 1152 or 576 samples of a frame.
    """
    _, frame, numbers = _mp3_tag(path)
    if numbers is None or not numbers[0] & 1:
        return None
    is_mpeg_1 = (frame[1] >> 3) & 3 == 3
    return max(0, numbers[1] * (1152 if is_mpeg_1 else 576) - _mp3_trim(frame, numbers[0]))


def _mp3_trim(frame: bytes, flags: int) -> int:
    """Samples that the encoder added on both sides, as far as libav takes them off."""
    name = MP3_LENGTH_TAG.search(frame).end() + 4 + sum(size for flag, size in MP3_TAG_FIELDS.items() if flags & flag)
    if not MP3_TRIMMED_BY.match(frame, name):
        return 0
    both = int.from_bytes(frame[name + MP3_TRIM_AT : name + MP3_TRIM_AT + 3], "big")
    return (both >> 12) + (both & 0xFFF)


def mp3_is_one_stream(path: Path) -> bool:
    """Whether the length tag of an mp3 speaks of all that is in the file: not so in joined and cut-off ones."""
    start, _, numbers = _mp3_tag(path)
    if numbers is None or numbers[0] & 3 != 3:
        return False
    with open(path, "rb") as f:
        end = f.seek(0, 2)
        f.seek(max(0, end - ID3V1_BYTES))
        if f.read(3) == b"TAG":
            end -= ID3V1_BYTES
    return numbers[2] == end - start


def _mp3_tag(path: Path) -> tuple[int, bytes, tuple[int, int, int] | None]:
    """Where the first MPEG frame begins, its first bytes, and the tag's flags and two numbers if it is there."""
    with open(path, "rb") as f:
        head = f.read(10)
        # An ID3v2 tag before the audio: its size is 4 times 7 bits, without its own 10 bytes.
        start = (
            10 + sum((b & 127) << shift for b, shift in zip(head[6:10], (21, 14, 7, 0))) if head[:3] == b"ID3" else 0
        )
        f.seek(start)
        frame = f.read(256)
    tag = MP3_LENGTH_TAG.search(frame)
    if tag is None or tag.end() + 12 > len(frame):
        return start, frame, None
    return start, frame, struct.unpack_from(">3I", frame, tag.end())


def missing_share(path: Path) -> float:
    """Share of a wav, aiff, RF64, W64 or au that its header promises and the disk does not hold: 0 when whole."""
    with open(path, "rb") as f:
        stated = _stated_bytes(f.read(28))
    return max(0.0, 1 - path.stat().st_size / stated) if stated else 0.0


def _stated_bytes(head: bytes) -> int:
    """Bytes of the whole file by its first 28; 0 where they do not tell.

    RF64 counts in a chunk ds64 (EBU Tech 3306), Sony's W64 with its own header, au without it.
    """
    if head[:4] == b"RF64" and head[12:16] == b"ds64":
        own, size, unknown = 8, int.from_bytes(head[20:28], "little"), STREAMED_LONG_SIZE
    elif head[:4] == b"riff":
        own, size, unknown = 0, int.from_bytes(head[16:24], "little"), STREAMED_LONG_SIZE
    elif head[:4] == b".snd":
        own, size, unknown = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big"), STREAMED_SIZE
    else:
        order = {b"RIFF": "little", b"FORM": "big"}.get(head[:4])
        own, size, unknown = 8, int.from_bytes(head[4:8], order) if order else 0, STREAMED_SIZE
    return own + size if 0 < size < unknown else 0


def ogg_has_one_stream(path: Path) -> bool:
    """Whether the first and last page of an Ogg file are of one logical stream: not so in joined and video files."""
    with open(path, "rb") as f:
        first = f.read(27)
        f.seek(max(0, path.stat().st_size - (1 << 16)))  # no page is longer than 64 KiB
        tail = f.read()
    last = tail[tail.rfind(b"OggS") :]
    return len(last) < 18 or first[14:18] == last[14:18]
