"""Samples cut off at a ceiling: more of them stand at the clip's own peak than at any other level near it.

In undistorted sound samples grow rarer towards the peak, and one or two reach it. At a ceiling all that went beyond it
lie on one level, wherever that is: a gain moves the ceiling and leaves them together, an offset gives either side one
of its own. So for each side, with the peak p of that side and levels one step of 16 bits wide counted down from it,

    clipped = n(p)  where  n(p) >= min_samples  and  n(p) >= times * max n(level),  level from p down to 0.8 p

and clipped_share is the sum of both sides over all samples. A pure tone has 2.4 times as many samples at its peak as
one step below.
"""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {
    "clipped_share": "share of samples piled up at the clip's peak; 0 in undistorted speech, about 2e-4 at 1 dB of "
    "overdrive, 2e-3 at 3 dB.",
}
STEP = 2.0**-15
NEAR = 0.8  # share of the peak down to which levels are compared


class Settings(Strict):
    """What counts as a ceiling."""

    min_samples: int = Field(4, ge=2, description="samples on the level of the peak, that many at least")
    times: float = Field(
        2.5, ge=1, description="as many as on the fullest level near it, at least; a pure tone has 2.4 times as many"
    )


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    if not np.any(clip.samples):
        return {"clipped_share": None}
    piled = sum(_piled(side, settings) for side in (clip.samples, -clip.samples))
    return {"clipped_share": piled / len(clip.samples)}


def _piled(samples: np.ndarray, settings: Settings) -> int:
    """Samples at the ceiling above; 0 where there is none."""
    peak = samples.max()
    if peak <= 0:
        return 0
    near = samples[samples >= NEAR * peak]
    at_peak, *below = np.bincount(((peak - near) / STEP).astype(np.int64))
    is_ceiling = at_peak >= settings.min_samples and at_peak >= settings.times * max(below, default=0)
    return int(at_peak) if is_ceiling else 0
