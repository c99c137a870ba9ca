"""What a voice and its channel sound like on the average, without any weights: the mean cepstrum of the speech."""

import numpy as np

from kaiku.audio.clips import MEL_BANDS, ClipAudio
from kaiku.audio.spectra import cosine_basis

LIBRARIES = ("numpy", "soxr", "silero-vad")
COEFFICIENTS = 20  # without the first, which is the level
MIN_FRAMES = 30  # half a second of speech; the mean of less says more about the words


def timbre(clip: ClipAudio) -> np.ndarray | None:
    """Mean of the mel cepstra of all frames of speech, float32 [20], in dB; None with less than half a second of it."""
    spoken = clip.mel_db[clip.is_speech]
    if len(spoken) < MIN_FRAMES:
        return None
    return spoken.mean(axis=0) @ cosine_basis(MEL_BANDS, COEFFICIENTS)


def distance_db(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square over the mel bands of the difference that two timbres stand for, in dB."""
    return float(np.linalg.norm(one - other)) / MEL_BANDS**0.5
