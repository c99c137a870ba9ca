"""How long a clip lasts."""

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {"duration_s": "s, length of the clip."}


class Settings(Strict):
    """Nothing to set."""


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    return {"duration_s": clip.duration_s}
