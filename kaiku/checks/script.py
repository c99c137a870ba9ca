"""Letters that a text's language does not have: another language, another alphabet, or signs gone wrong."""

from kaiku.strict import Strict
from kaiku.text.letters import foreign_shares
from kaiku.text.spoken import SpokenText

NEEDS = "text"
LIBRARIES: tuple[str, ...] = ()
FIELDS = {
    "foreign_letters_share": "share of the text's letters that its language does not have; of a language whose "
    "alphabet is not known, that its script does not have.",
    "foreign_script_share": "share of the text's letters that are of another script than its language's.",
}


class Settings(Strict):
    """Nothing to set."""


def measure(clip: SpokenText, settings: Settings) -> dict[str, float | None]:
    """See FIELDS; None for a text without letters, and in a language of which nothing is known."""
    letters, scripts = foreign_shares(clip.text, clip.language)
    return {"foreign_letters_share": letters, "foreign_script_share": scripts}
