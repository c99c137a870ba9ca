"""FLAC in memory: how clips are kept."""

import io

import numpy as np

from kaiku.errors import DecodeError

LIBRARIES = ("soundfile",)
BITS = {"PCM_16": 16, "PCM_24": 24}


def encode_flac(samples: np.ndarray, sample_rate: int, subtype: str = "PCM_16") -> bytes:
    """FLAC of float32 [samples] within +-1.0; the same samples always give the same bytes.

    Rounds to the nearest step of the subtype (PCM_16 or PCM_24): what was decoded from integers comes back exactly.
    """
    import soundfile

    steps = 1 << (BITS[subtype] - 1)
    levels = np.clip(np.rint(samples * np.float32(steps)), -steps, steps - 1)  # exact: steps is a power of two
    # soundfile takes integers left-aligned, and would scale floats by steps - 1 instead of steps.
    pcm = levels.astype(np.int16) if subtype == "PCM_16" else levels.astype(np.int32) << 8
    file = io.BytesIO()
    soundfile.write(file, pcm, sample_rate, subtype=subtype, format="FLAC")
    return file.getvalue()


def decode_flac(data: bytes, gain_db: float = 0.0) -> tuple[np.ndarray, int]:
    """(float32 [samples], sample_rate) of a clip's FLAC bytes, with the gain that was laid on it taken off again."""
    import soundfile

    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DecodeError(f"FLAC of {len(data)} bytes: {error.error_string}", expected="a whole FLAC clip") from error
    return (samples if gain_db == 0 else samples * np.float32(10 ** (-gain_db / 20))), sample_rate
