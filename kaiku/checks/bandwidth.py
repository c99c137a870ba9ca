"""Up to which frequency a clip holds sound: what a sample rate promises, upsampled telephone audio does not keep."""

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.audio.offset import offset_of
from kaiku.audio.spectra import power_spectra
from kaiku.strict import Strict

LIBRARIES = ("numpy",)
FIELDS = {
    "bandwidth_hz": "Hz, highest frequency within floor_db of the strongest one; none for digital silence.",
    "bandwidth_share": "bandwidth_hz over half the sample rate: 1 where the rate is made use of.",
}
FRAME_S = 0.04
LOUD = 95  # percentile over frames: what a tenth of the clip holds counts (hisses of s), a click does not
SMOOTHED_BINS = 7  # a single tone (a monitor's whistle, a pilot) is no bandwidth


class Settings(Strict):
    """From which level on sound counts."""

    floor_db: float = Field(-60, lt=0, description="dB relative to the strongest frequency")


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    size = 2 ** round(np.log2(FRAME_S * clip.sample_rate))
    spectra = power_spectra(clip.samples - offset_of(clip.samples), size, size // 2)  # [frames, bins]
    if not spectra.any():
        return {"bandwidth_hz": None, "bandwidth_share": None}
    rank = round(LOUD / 100 * (len(spectra) - 1))
    loud = np.partition(spectra, rank, axis=0)[rank]
    around = np.pad(loud, SMOOTHED_BINS // 2, mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(around, SMOOTHED_BINS), axis=1)  # [bins]
    if not smooth.any():
        return {"bandwidth_hz": None, "bandwidth_share": None}
    highest = int(np.flatnonzero(smooth >= smooth.max() * 10 ** (settings.floor_db / 10))[-1])
    share = highest / (len(smooth) - 1)
    return {"bandwidth_hz": share * clip.sample_rate / 2, "bandwidth_share": share}
