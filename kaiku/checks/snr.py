"""How far speech stands above its background.

The background is heard in two places: outside speech, and in the quietest moments of the speech itself. Either can only
be too loud, where the detector missed speech or where the speaker makes no pause, so the lower one is nearer the truth.
Estimators that go by the distribution of amplitudes (WADA-SNR) are not used: on clean synthetic speech they fall to
15 dB, and on gated recordings they saturate.
"""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.audio.vad import SAMPLE_RATE
from kaiku.strict import Strict

LIBRARIES = ("soxr", "silero-vad", "numpy")
FIELDS = {
    "snr_db": "dB of speech over background, never told too high: above 20 in clean speech, as added where it is less; "
    "none with less than a second of speech.",
    "background_db": "dB relative to full scale, level outside speech; none where the clip has too little of it, or "
    "where it is digital silence.",
}
FRAME = SAMPLE_RATE // 50  # 20 ms
QUIETEST = 5  # percentile of the frames of speech: closures of stops, breaks between words
DIGITAL_SILENCE = 1e-9  # -90 dB: above the steps of 16 bits, below the noise of any microphone
MIN_SPEECH_S = 1.0  # less has no quiet moments: single words gave 13 dB where nothing was noisy
LEAST = 0.1  # -10 dB; what the detector still takes for speech is not weaker


class Settings(Strict):
    """How much background a figure needs."""

    min_background_s: float = Field(
        0.3, ge=0.1, description="s outside speech below which only the speech itself is asked"
    )
    guard_ms: float = Field(
        60, ge=0, description="ms next to speech that still count as speech: breaths and reverberation"
    )


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    outside = _frames(clip.outside_speech(settings.guard_ms / 1000))
    background = None
    if len(outside) * FRAME >= settings.min_background_s * SAMPLE_RATE:
        background = float(np.median(outside))  # which breaths and clicks do not move
    audible = background if background is not None and background > DIGITAL_SILENCE else None
    return {
        "snr_db": _snr_db(_frames([clip.inside_speech()]), audible),
        "background_db": 10 * float(np.log10(audible)) if audible else None,
    }


def _snr_db(speech: np.ndarray, outside: float | None) -> float | None:
    heard = speech[speech > DIGITAL_SILENCE]
    if len(heard) * FRAME < MIN_SPEECH_S * SAMPLE_RATE:
        return None
    noise = min(float(np.percentile(heard, QUIETEST)), outside or np.inf)
    return 10 * float(np.log10(max(float(np.mean(speech)) / noise - 1, LEAST)))


def _frames(stretches: list[np.ndarray]) -> np.ndarray:
    """Mean squares of the whole frames of each stretch about the offset of their zero; 0 of digital silence.

    The offset is the median of what the frames are about: a mean would be moved by speech whose waves lean to one side.
    Silence is told frame by frame: a gate closes at zero, whatever the offset.
    """
    frames = np.concatenate(
        [np.zeros((0, FRAME), np.float32), *(s[: len(s) // FRAME * FRAME].reshape(-1, FRAME) for s in stretches)]
    )
    is_heard = frames.var(axis=1) > DIGITAL_SILENCE
    if not is_heard.any():
        return np.zeros(len(frames))
    frames = frames - np.median(frames[is_heard].mean(axis=1))
    return np.where(is_heard, np.einsum("nd,nd->n", frames, frames), 0.0) / FRAME
