"""What the first and last bytes of a file say about its length, where the decoding libraries do not tell or err."""

import re
from pathlib import Path

MP3_LENGTH_TAG = re.compile(rb"Xing|Info")
STREAMED_SIZE = 0x7FFFF000  # writers that could not know the size leave 0 or a value from here up


def mp3_frames(path: Path) -> int | None:
    """Samples per channel that the length tag of an mp3 promises; None without the tag.

    The tag stands in the first MPEG frame: "Xing" or "Info", 32 bits of flags, and if flag 1 is set the number of MPEG
    frames in 32 bits. Source: LAME's VbrTag.c; ISO/IEC 11172-3 and 13818-3 for the 1152 or 576 samples of a frame.
    """
    with open(path, "rb") as f:
        head = f.read(10)
        # An ID3v2 tag before the audio: its size is 4 times 7 bits, without its own 10 bytes.
        start = (
            10 + sum((b & 127) << shift for b, shift in zip(head[6:10], (21, 14, 7, 0))) if head[:3] == b"ID3" else 0
        )
        f.seek(start)
        frame = f.read(256)
    tag = MP3_LENGTH_TAG.search(frame)
    if tag is None or tag.end() + 8 > len(frame) or not frame[tag.end() + 3] & 1:
        return None
    is_mpeg_1 = (frame[1] >> 3) & 3 == 3
    return int.from_bytes(frame[tag.end() + 4 : tag.end() + 8], "big") * (1152 if is_mpeg_1 else 576)


def missing_share(path: Path) -> float:
    """Share of a RIFF (wav) or FORM (aiff) file that its header promises and the disk does not hold: 0 when whole."""
    held = path.stat().st_size
    with open(path, "rb") as f:
        head = f.read(8)
    order = {b"RIFF": "little", b"FORM": "big"}.get(head[:4])
    if order is None:
        return 0.0
    stated = int.from_bytes(head[4:8], order)
    if stated == 0 or stated >= STREAMED_SIZE:
        return 0.0
    return max(0.0, 1 - held / (stated + 8))


def ogg_has_one_stream(path: Path) -> bool:
    """Whether the first and last page of an Ogg file are of one logical stream: not so in joined and video files."""
    with open(path, "rb") as f:
        first = f.read(27)
        f.seek(max(0, path.stat().st_size - (1 << 16)))  # no page is longer than 64 KiB
        tail = f.read()
    last = tail[tail.rfind(b"OggS") :]
    return len(last) < 18 or first[14:18] == last[14:18]
