"""How loud a clip is, and whether it swings around zero."""

import numpy as np

from kaiku.audio.clips import ClipAudio, rms_db
from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {
    "rms_db": "dB relative to full scale, root mean square of the whole clip; none for digital silence.",
    "peak_db": "dB relative to full scale, largest sample; above 0 where a lossy decoder overshoots; none for silence.",
    "dc": "share of full scale, mean of all samples: an offset of the recording hardware.",
}


class Settings(Strict):
    """Nothing to set."""


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    samples = clip.samples
    peak = float(np.abs(samples).max(initial=0))
    return {
        "rms_db": rms_db(samples),
        "peak_db": 20 * float(np.log10(peak)) if peak > 0 else None,
        "dc": float(np.mean(samples, dtype=np.float64)) if len(samples) else None,
    }
