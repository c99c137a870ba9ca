"""FLAC in memory: how clips are kept."""

import io

import numpy as np

from kaiku.errors import DecodeError

LIBRARIES = ("soundfile",)
KINDS = {"PCM_16": (16, np.int16, 0), "PCM_24": (24, np.int32, 8)}  # bits, the integers they come in, left-aligned by
CHUNK = 1 << 16  # samples at a time: room for a whole clip would come fresh from the system, page by page, each time


def encode_flac(samples: np.ndarray, sample_rate: int, subtype: str = "PCM_16") -> bytes:
    """FLAC of float32 [samples] within +-1.0; the same samples always give the same bytes.

    Rounds to the nearest step of the subtype (PCM_16 or PCM_24): what was decoded from integers comes back exactly.
    """
    import soundfile

    bits, integer, shift = KINDS[subtype]
    steps = np.float32(1 << (bits - 1))  # exact: a power of two; soundfile would scale floats by a step less
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sample_rate, 1, subtype, format="FLAC") as sound:
        for start in range(0, len(samples), CHUNK):
            levels = samples[start : start + CHUNK] * steps
            np.clip(np.rint(levels, out=levels), -steps, steps - 1, out=levels)
            sound.write(levels.astype(integer) << shift)
    return file.getvalue()


def decode_flac(data: bytes, gain_db: float = 0.0) -> tuple[np.ndarray, int]:
    """(float32 [samples], sample_rate) of a clip's FLAC bytes, with the gain that was laid on it taken off again."""
    import soundfile

    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DecodeError(f"FLAC of {len(data)} bytes: {error.error_string}", expected="a whole FLAC clip") from error
    return (samples if gain_db == 0 else samples * np.float32(10 ** (-gain_db / 20))), sample_rate
