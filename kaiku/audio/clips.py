"""A clip's audio, with what several readers of it need only once."""

from functools import cached_property

import numpy as np

from kaiku.audio import vad
from kaiku.audio.resample import resample

LIBRARIES = ("soxr", "silero-vad")


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
