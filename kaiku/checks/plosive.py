"""Pops: puffs of breath from p, b and t that hit the microphone, and knocks on it; both are rumble far below a voice.

Counted where for a moment the rumble rises far above what it is in the clip else, outweighs all that is above it, and
is as loud as the speech itself.
"""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import FRAME, ClipAudio
from kaiku.audio.vad import SAMPLE_RATE
from kaiku.strict import Strict

LIBRARIES = ("soxr", "numpy")
FIELDS = {
    "pops": "number of puffs of breath and knocks on the microphone: 0 in clean speech; none for digital silence.",
}
LOWEST_HZ, HIGHEST_HZ = 20, 100
NEVER_LOUD = 1e-12


class Settings(Strict):
    """What counts as a pop."""

    rise_db: float = Field(25, gt=0, description="dB above the clip's median between 20 and 100 Hz")
    dominance_db: float = Field(
        2.5, gt=0, description="dB by which the whole spectrum may exceed the rumble; a voice has far more above it"
    )
    loudness_db: float = Field(
        12, ge=0, description="dB below the clip's loud frames (their 95th percentile) down to which it is audible"
    )


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    spectra = clip.spectra_16k
    first, last = (round(hz * FRAME / SAMPLE_RATE) for hz in (LOWEST_HZ, HIGHEST_HZ))
    rumble = spectra[:, first + 1 : last + 1].sum(axis=1)  # the first bin holds what leaks from an offset
    total = rumble + spectra[:, last + 1 :].sum(axis=1)
    if not len(total) or total.max() < NEVER_LOUD:
        return {"pops": None}
    rumble_db, total_db = (10 * np.log10(power + NEVER_LOUD) for power in (rumble, total))
    is_pop = (
        (rumble_db >= np.median(rumble_db) + settings.rise_db)
        & (rumble_db >= total_db - settings.dominance_db)
        & (rumble_db >= np.percentile(total_db, 95) - settings.loudness_db)
    )
    begins = is_pop & ~np.concatenate([[False], is_pop[:-1]])
    return {"pops": float(np.count_nonzero(begins))}
