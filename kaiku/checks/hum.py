"""Mains hum: how far the harmonics of 50 or 60 Hz stand out of the background between speech.

Measured where nobody speaks, since a voice has harmonics of its own in the same range; not at all without a second of
that, which most clips cut tightly do not have, nor where it is digital silence, as behind a gate.
"""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.audio.hum import FRAME, HOP, MAINS_HZ, SILENCE, heights, score_of
from kaiku.audio.vad import SAMPLE_RATE
from kaiku.strict import Strict

LIBRARIES = ("soxr", "silero-vad")
FIELDS = {
    "hum_db": "dB that the three strongest of six mains harmonics stand above their neighbourhood: clean below 10, "
    "hum above 12; none with less than min_background_s of sound outside speech.",
    "hum_hz": "Hz, the mains frequency with the higher figure: 50 or 60.",
}


class Settings(Strict):
    """How much background a figure needs."""

    min_background_s: float = Field(
        1.0, ge=0.5, description="s outside speech, in stretches of at least 0.5 s, below which there is no figure"
    )
    guard_ms: float = Field(
        60, ge=0, description="ms next to speech that still count as speech: breaths and reverberation"
    )


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    frames, heard = _background(clip.outside_speech(settings.guard_ms / 1000))
    if not len(frames) or heard < settings.min_background_s * SAMPLE_RATE:
        return {"hum_db": None, "hum_hz": None}
    spectrum_db = _median_spectrum_db(frames)
    score, mains = max((score_of(heights(spectrum_db, mains)), -mains) for mains in MAINS_HZ)
    return {"hum_db": score, "hum_hz": float(-mains)}


def _background(stretches: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Frames [N, FRAME] that are not silent, and the samples of the stretches less what silence adds to them."""
    found, heard = [np.zeros((0, FRAME), np.float32)], 0
    for stretch in stretches:
        if len(stretch) >= FRAME:
            frames = np.lib.stride_tricks.sliding_window_view(stretch, FRAME)[::HOP]
            is_heard = np.vecdot(frames, frames) > SILENCE * FRAME
            found.append(frames[is_heard])
            heard += len(stretch) - HOP * np.count_nonzero(~is_heard) if is_heard.any() else 0
    return np.concatenate(found), heard


def _median_spectrum_db(frames: np.ndarray) -> np.ndarray:
    """Median over frames of the power spectrum in dB, [FRAME / 2 + 1]; a click spoils one frame, not the median."""
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)))
    return 10 * np.log10(np.median(power, axis=0) + 1e-12)
