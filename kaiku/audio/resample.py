"""Resampling with soxr at HQ: a stream in blocks of any size gives the very bits of the whole at once."""

from typing import Any

import numpy as np

LIBRARIES = ("soxr",)
QUALITY = "HQ"  # 20 bit: below the noise of any recording, and as fast as the higher grades


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """float32 [samples] at `from_rate` Hz -> float32 at `to_rate` Hz."""
    if from_rate == to_rate:
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate, quality=QUALITY)


def resample_for(model: Any, samples: np.ndarray, from_rate: int) -> np.ndarray:
    """float32 [samples] at `from_rate` Hz -> float32 at the model's `sample_rate`.

    A model may bring the resampler that it was trained with, as `resample(samples, from_rate)`.
    """
    own = getattr(model, "resample", None)
    return own(samples, from_rate) if own is not None else resample(samples, from_rate, model.sample_rate)


class StreamResampler:
    """The same conversion in blocks: `push` as they come, `finish` once for what the filter still holds."""

    def __init__(self, from_rate: int, to_rate: int):
        self._stream = None
        if from_rate != to_rate:
            import soxr

            self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=QUALITY)

    def push(self, block: np.ndarray) -> np.ndarray:
        """float32 [n] -> as many samples float32 [m] as are settled by now."""
        return block if self._stream is None else self._stream.resample_chunk(block)

    def finish(self) -> np.ndarray:
        """The last samples, float32 [m]."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._stream.resample_chunk(nothing, last=True)
