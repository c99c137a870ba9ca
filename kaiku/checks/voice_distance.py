"""How far a clip's average sound is from that of a reference clip: voice and channel together, without any weights.

Tells a speaker from others who were recorded otherwise. Two people at one microphone may be nearer than one person at
two: who needs the person takes `speaker_similarity`.
"""

from pathlib import Path

import numpy as np

from kaiku.audio.clips import ClipAudio
from kaiku.audio.decode import read_mono
from kaiku.audio.timbre import distance_db, timbre
from kaiku.checks import Loaded, Measures
from kaiku.errors import KaikuError
from kaiku.strict import Strict, by_content

LIBRARIES = ("soxr", "silero-vad", "numpy", "soundfile", "av")
FIELDS = {
    "voice_distance_db": "dB, root mean square difference of the mean mel spectra of speech, levels apart: 1 to 3 "
    "within one speaker and channel; none with less than half a second of speech.",
}


class Settings(Strict):
    """Whom to compare with."""

    reference: str = by_content(description="Audio file of the target speaker alone, some seconds of speech.")


class _Reference:
    def __init__(self, target: np.ndarray):
        self.target = target

    def measure(self, clip: ClipAudio) -> Measures:
        own = timbre(clip)
        return {"voice_distance_db": None if own is None else distance_db(own, self.target)}


def load(settings: Settings, folder: Path | None) -> Loaded:
    """The reference, listened to once."""
    target = timbre(ClipAudio(*read_mono(Path(settings.reference).expanduser())))
    if target is None:
        raise KaikuError(
            f"{settings.reference}: less than half a second of speech",
            expected="some seconds of the target speaker",
            remedy="Give checks.voice_distance another reference.",
        )
    return _Reference(target)


def tiny(folder: Path) -> Settings:
    """A reference of two seconds of a buzz that is taken for speech."""
    from kaiku.checks._tiny_voice import write

    return Settings(reference=str(write(folder / "reference.wav")))
