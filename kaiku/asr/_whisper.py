"""What every Whisper has in common, whichever library runs it."""

import math
from collections.abc import Sequence

from kaiku.asr import SAMPLE_RATE, Spoken
from kaiku.errors import KaikuError

WINDOW_S = 30
"""Seconds that Whisper hears at once."""


def language_code(tag: str, known: Sequence[str]) -> str | None:
    """Whisper's code of a BCP 47 tag, None where the language is to be heard. Raises KaikuError where it is unknown.

    known: the model's languages; a model of one language has none to choose from, and is not asked.
    """
    code = tag.lower().replace("_", "-").split("-")[0]
    if code in ("", "und"):
        return None
    if known and code not in known:
        raise KaikuError(
            f"language {tag!r}, which this Whisper model does not know",
            expected=f"one of {', '.join(known)}",
            remedy="Set `language` of the transcriber, or use another one for this corpus.",
        )
    return code


def checked(clip: Spoken) -> None:
    """Raise KaikuError where a clip's audio is not what transcribers hear."""
    if clip.audio.ndim != 1 or clip.audio.dtype != "float32":
        raise KaikuError(
            f"audio {clip.audio.dtype} {list(clip.audio.shape)}", expected=f"float32 [samples] at {SAMPLE_RATE} Hz"
        )


def as_probability(logprob: float) -> float:
    """0..1 in steps of 0.0001: the bits beyond are of how sums were rounded, this time."""
    return round(math.exp(min(0.0, logprob)), 4)
