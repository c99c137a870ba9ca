"""Notches: what takes single frequencies out of a recording as it streams by."""

from collections.abc import Sequence

import numpy as np

LIBRARIES = ("scipy",)


class Notch:
    """One second-order notch for each frequency in Hz, in a row; `q` is a frequency over the width of its notch.

    Causal, so that it needs no more of the recording than has come by: a filter that shifts no phase has to see it
    backwards too. The shift is within a few widths of each notch, where little is left to be shifted. A hum needs about
    q / (3 f) seconds to be gone, 0.4 s at 50 Hz, once, where the recording begins.
    """

    def __init__(self, sample_rate: int, frequencies: Sequence[float], q: float):
        from scipy import signal

        sections = [
            signal.tf2sos(*signal.iirnotch(hz, q, fs=sample_rate)) for hz in frequencies if hz < sample_rate / 2
        ]
        self._sections = np.concatenate(sections) if sections else np.zeros((0, 6))  # [notches, 6]
        self._state = np.zeros((len(self._sections), 2))

    def push(self, samples: np.ndarray) -> np.ndarray:
        """float32 [n] -> float32 [n]; in double precision, equal however the recording is divided into blocks."""
        if not len(self._sections):
            return samples
        from scipy import signal

        filtered, self._state = signal.sosfilt(self._sections, samples.astype(np.float64), zi=self._state)
        return filtered.astype(np.float32)
