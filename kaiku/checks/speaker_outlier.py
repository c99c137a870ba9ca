"""Clips that do not sound like the others of their speaker: another person, another microphone, another room.

Compared are mean cepstra, which hold voice and channel together: a flag inside one speaker, no speaker verification,
and silent on who it is instead.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.audio.timbre import timbre
from kaiku.checks import Described, Measures
from kaiku.strict import Strict

NEEDS = "corpus"
LIBRARIES = ("soxr", "silero-vad", "numpy")
FIELDS = {
    "speaker_outlier": "robust standard deviations (root mean square over 20 cepstra) from the median of the speaker's "
    "clips: about 1, below 2.2 for the speaker's own; none with too few clips or less than half a second of speech.",
}
NARROWEST_DB = 0.1  # of a coefficient's spread; copies of one clip would have none at all


class Settings(Strict):
    """How many clips make a speaker."""

    min_clips: int = Field(20, ge=4, description="clips of a speaker below which there is no figure for any of them")


def describe(clip: ClipAudio) -> np.ndarray | None:
    """Float32 [20]: see `kaiku.audio.timbre`."""
    return timbre(clip)


def compare(described: Described, wanted: Sequence[int], settings: Settings) -> list[Measures]:
    speakers = np.array(described.speakers, dtype=object)
    found: dict[int, float] = {}
    for speaker in sorted({described.speakers[place] for place in wanted}):
        own = described.vectors[speakers == speaker]  # [clips, 20]
        if len(own) >= settings.min_clips:
            of_speaker = [place for place in wanted if described.speakers[place] == speaker]
            found |= dict(zip(of_speaker, _deviations(own, described.vectors[of_speaker]), strict=True))
    return [{"speaker_outlier": found.get(place)} for place in wanted]


def _deviations(own: np.ndarray, of: np.ndarray) -> list[float]:
    middle = np.median(own, axis=0)
    spread = 1.4826 * np.median(np.abs(own - middle), axis=0)  # of a normal distribution, its standard deviation
    deviations = (of - middle) / np.maximum(spread, NARROWEST_DB)
    return [round(float(value), 4) for value in np.sqrt(np.mean(np.square(deviations), axis=1))]
