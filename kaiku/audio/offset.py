"""The offset of a recorder's zero, which is no sound: neither speech, nor noise, nor a frequency."""

import numpy as np

LIBRARIES = ("numpy",)


def offset_of(samples: np.ndarray) -> np.float32:
    """Mean of float32 [n]; 0 of no samples."""
    return np.float32(np.mean(samples, dtype=np.float64)) if len(samples) else np.float32(0)
