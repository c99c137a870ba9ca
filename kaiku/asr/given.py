"""The texts that came with the recordings, given to the clips they are spoken in."""

from pathlib import Path

from kaiku.asr import Spoken, Transcript
from kaiku.strict import Strict
from kaiku.text.overlap import text_for, timed

NEEDS = "text"
LIBRARIES: tuple[str, ...] = ()


class Settings(Strict):
    """Nothing to set."""


class Given:
    """Spans of the recording to text of the clip; confidence is how well the two match in time (see `text_for`)."""

    def transcribe(self, clip: Spoken) -> Transcript:
        """The given text of a clip; where none falls into it, an empty text without confidence."""
        text, coverage = text_for(clip.start_s, clip.end_s, timed(clip.spans, clip.recording_s))
        confidence = coverage if text else None
        return Transcript(text, confidence, clip.language)


def load(settings: Settings, folder: Path | None = None) -> Given:
    """The transcriber; it has no model."""
    return Given()


def tiny(folder: Path) -> Settings:
    """Settings for a folder that stays empty."""
    return Settings()
