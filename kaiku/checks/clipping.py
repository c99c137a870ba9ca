"""Samples cut off at a ceiling: runs of neighbours that all stand at the clip's own peak."""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {
    "clipped_share": "share of samples in runs at the clip's peak; 0 in undistorted speech, 5e-5 at 1 dB of overdrive.",
}


class Settings(Strict):
    """What counts as a ceiling."""

    near_peak: float = Field(
        0.995, gt=0, le=1, description="share of the clip's largest sample from which one stands at the ceiling"
    )
    min_run: int = Field(
        3, ge=2, description="samples in a row at the ceiling; rounded peaks of clean speech give one or two"
    )


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    size = np.abs(clip.samples)
    peak = size.max(initial=0)
    if peak == 0:
        return {"clipped_share": None}
    at_ceiling = np.concatenate([[False], size >= settings.near_peak * peak, [False]])
    edges = np.flatnonzero(np.diff(at_ceiling))
    runs = edges[1::2] - edges[::2]
    return {"clipped_share": float(runs[runs >= settings.min_run].sum()) / len(size)}
