"""Audio inside a page: Ogg Opus as a data URI, the same bytes every time."""

import base64
import io

import numpy as np

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
HEADER = 27  # bytes of an Ogg page before its segment table (RFC 3533, section 6)
SERIAL, CHECKSUM = slice(14, 18), slice(22, 26)


def player_uri(audio: np.ndarray, sample_rate: int) -> str:
    """A clip (float32 [samples]) as a data URI; about 4 kB per second of speech before base64."""
    return "data:audio/ogg;base64," + base64.b64encode(opus(audio, sample_rate)).decode()


def opus(audio: np.ndarray, sample_rate: int) -> bytes:
    """Ogg Opus bytes of a mono clip, resampled to the next rate that Opus knows; peaks above 1.0 turn the clip down."""
    import soundfile
    import soxr

    rate = next((r for r in OPUS_RATES if r >= sample_rate), OPUS_RATES[-1])
    if rate != sample_rate:
        audio = soxr.resample(audio, sample_rate, rate)
    audio = audio / np.float32(max(1.0, float(np.abs(audio).max(initial=0.0))))
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="OGG", subtype="OPUS")
    return _with_serial_zero(file.getvalue())


def _with_serial_zero(ogg: bytes) -> bytes:
    """The stream with serial number 0 in place of the random one that the encoder draws, checksums anew."""
    data, start = bytearray(ogg), 0
    while start < len(data):
        segments = data[start + HEADER - 1]
        end = start + HEADER + segments + sum(data[start + HEADER : start + HEADER + segments])
        page = data[start:end]
        page[SERIAL] = page[CHECKSUM] = bytes(4)
        page[CHECKSUM] = _crc(page).to_bytes(4, "little")
        data[start:end] = page
        start = end
    return bytes(data)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        table.append(crc & 0xFFFFFFFF)
    return table


CRC_TABLE = _crc_table()


def _crc(page: bytes) -> int:
    """Ogg's CRC-32: polynomial 04C11DB7, start 0, neither reflected nor inverted."""
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ CRC_TABLE[crc >> 24 ^ byte]
    return crc
