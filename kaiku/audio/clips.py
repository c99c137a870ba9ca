"""A clip's audio: as FLAC bytes, as samples, and with what several readers of it need only once."""

import io
from functools import cached_property

import numpy as np

from kaiku.audio import vad
from kaiku.audio.resample import resample
from kaiku.errors import DecodeError

LIBRARIES = ("soundfile", "soxr", "silero-vad", "onnxruntime")
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


def rms_db(samples: np.ndarray) -> float | None:
    """Root mean square in dB relative to full scale 1.0; None for digital silence and for no samples."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * float(np.log10(power)) if power > 0 else None


class ClipAudio:
    """One clip as checks and codecs see it: float32 [samples] mono, peaks above 1.0 kept, and its text if any."""

    def __init__(self, samples: np.ndarray, sample_rate: int, text: str | None = None):
        self.samples = samples
        self.sample_rate = sample_rate
        self.text = text

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate

    @cached_property
    def samples_16k(self) -> np.ndarray:
        """float32 [samples at 16 kHz]."""
        return resample(self.samples, self.sample_rate, vad.SAMPLE_RATE)

    @cached_property
    def speech(self) -> list[tuple[float, float]]:
        """Spans of speech (start_s, end_s), with the default settings of `kaiku.audio.vad`."""
        return vad.speech_spans(self.samples_16k, vad.SAMPLE_RATE)
