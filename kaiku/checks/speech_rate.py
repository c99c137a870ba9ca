"""How fast a text would be spoken: too fast for anybody where it holds more than the clip, too slow where less."""

from pydantic import Field

from kaiku.strict import Strict
from kaiku.text.letters import signs
from kaiku.text.spoken import SpokenText

NEEDS = "text"
USES = ("speech_s",)
LIBRARIES: tuple[str, ...] = ()
FIELDS = {
    "chars_per_s": "1/s, letters and figures of the normalised text a second of speech; a cluster of joined consonants "
    "counts once, spaces and punctuation not.",
}


class Settings(Strict):
    """What is too short to have a rate."""

    least_speech_s: float = Field(
        0.3, gt=0, description="s of speech below which the rate says nothing: the ends of a word weigh too much."
    )


def measure(clip: SpokenText, settings: Settings) -> dict[str, float | None]:
    """See FIELDS; None without text, and where too little speech was found."""
    count = signs(clip.text)
    if not count or clip.speech_s is None or clip.speech_s < settings.least_speech_s:
        return {"chars_per_s": None}
    return {"chars_per_s": count / clip.speech_s}
