"""How much of a clip is speech, and how much silence stands at its edges."""

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

LIBRARIES = ("soxr", "silero-vad")
FIELDS = {
    "speech_s": "s, speech in the clip; the base of speaking rates, which pauses would distort.",
    "speech_share": "share of the clip that is speech.",
    "silence_before_ms": "ms from the clip's start to its first speech; none without speech.",
    "silence_after_ms": "ms from the last speech to the clip's end; none without speech.",
}


class Settings(Strict):
    """Nothing to set: the spans are those that all checks share."""


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    spans = clip.speech
    speech_s = sum((end - start for start, end in spans), 0.0)
    return {
        "speech_s": speech_s,
        "speech_share": speech_s / clip.duration_s if len(clip.samples) else None,
        "silence_before_ms": 1000 * spans[0][0] if spans else None,
        "silence_after_ms": 1000 * (clip.duration_s - spans[-1][1]) if spans else None,
    }
