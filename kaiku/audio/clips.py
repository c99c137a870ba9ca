"""A clip's audio, with what several readers of it need only once."""

from functools import cache, cached_property

import numpy as np

from kaiku.audio import vad
from kaiku.audio.resample import resample
from kaiku.audio.spectra import mel_filters, power_spectra

LIBRARIES = ("soxr", "silero-vad", "numpy")
FRAME, HOP = 1024, 256  # of spectra at 16 kHz: 64 ms, so that the rumble of a pop has bins of its own, every 16 ms
FRAME_S, HOP_S = FRAME / vad.SAMPLE_RATE, HOP / vad.SAMPLE_RATE
MEL_BANDS, MEL_LOWEST_HZ, MEL_HIGHEST_HZ = 40, 60, 7600


def rms_db(samples: np.ndarray) -> float | None:
    """Root mean square in dB relative to full scale 1.0; None for digital silence and for no samples."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * float(np.log10(power)) if power > 0 else None


class ClipAudio:
    """One clip as checks and codecs see it: float32 [samples] mono, peaks above 1.0 kept, and its text if any.

    What is derived is computed when first asked for, and then kept: no check repeats what another one did.
    """

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

    @cached_property
    def spectra_16k(self) -> np.ndarray:
        """Power of 64 ms every 16 ms, float32 [frames, 513], bins 15.6 Hz apart; see `power_spectra` for the scale."""
        return power_spectra(self.samples_16k, FRAME, HOP)

    @cached_property
    def mel_db(self) -> np.ndarray:
        """`spectra_16k` in 40 mel bands of 60 to 7600 Hz, dB float32 [frames, 40]; silence is -120."""
        return 10 * np.log10(self.spectra_16k @ _mel_filters() + np.float32(1e-12))

    @cached_property
    def is_speech(self) -> np.ndarray:
        """Whether the middle of each frame of `spectra_16k` lies in speech, bool [frames]."""
        middles_s = FRAME_S / 2 + HOP_S * np.arange(len(self.spectra_16k))
        edges_s = np.array([edge for span in self.speech for edge in span])
        return np.searchsorted(edges_s, middles_s, side="right") % 2 == 1

    def outside_speech(self, guard_s: float) -> list[np.ndarray]:
        """The stretches at least `guard_s` away from speech, float32 at 16 kHz each."""
        samples, rate = self.samples_16k, vad.SAMPLE_RATE
        edges = [0]
        for start_s, end_s in self.speech:
            edges += [round((start_s - guard_s) * rate), round((end_s + guard_s) * rate)]
        edges.append(len(samples))
        return [samples[start:end] for start, end in zip(edges[::2], edges[1::2]) if end > max(start, 0)]

    def inside_speech(self) -> np.ndarray:
        """All speech in a row, float32 at 16 kHz."""
        parts = [self.samples_16k[round(s * vad.SAMPLE_RATE) : round(e * vad.SAMPLE_RATE)] for s, e in self.speech]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@cache
def _mel_filters() -> np.ndarray:
    return mel_filters(MEL_BANDS, FRAME, vad.SAMPLE_RATE, MEL_LOWEST_HZ, MEL_HIGHEST_HZ)
