"""How far a clip's text is from what another transcriber makes of it: where two agree, both are most likely right."""

from pydantic import Field

from kaiku.metrics.recognition import comparable
from kaiku.strict import Strict
from kaiku.text.distance import edit_distance
from kaiku.text.spoken import SpokenText

NEEDS = "text"
USES = ("second",)
LIBRARIES: tuple[str, ...] = ()
FIELDS = {
    "disagreement_cer": "edits between the two texts, letter by letter, over the letters of the longer one; 0 to 1.",
    "disagreement_wer": "edits between the two texts, word by word, over the words of the longer one; 0 to 1.",
}


class Settings(Strict):
    """The other transcriber."""

    asr: str = Field("whisper", description="Transcriber (`asr:`) that the dataset's own is compared with.")


def measure(clip: SpokenText, settings: Settings) -> dict[str, float | None]:
    """See FIELDS; None where neither text says anything, and where a transcriber failed.

    Both texts normalised, case folded, without punctuation. Neither is taken for the truth, so the longer one divides.
    """
    if clip.second is None:
        return dict.fromkeys(FIELDS)
    ours, theirs = comparable(clip.text), comparable(clip.second)
    pairs = {"disagreement_cer": (ours, theirs), "disagreement_wer": (ours.split(), theirs.split())}
    return {name: _share(*pair) for name, pair in pairs.items()}


def _share(ours, theirs) -> float | None:
    longer = max(len(ours), len(theirs))
    return edit_distance(ours, theirs) / longer if longer else None
