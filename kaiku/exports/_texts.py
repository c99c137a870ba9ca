"""Both forms of a clip's text, which some readers want beside each other."""

from kaiku.text.normalise import normalise

LIBRARIES: tuple[str, ...] = ()


def both_forms(final: str, raw: str, normalised: str, *, takes_raw: bool, language: str) -> tuple[str, str]:
    """A text as written and normalised; of one that was changed after it was transcribed, itself is the raw form.

    final: what the dataset takes; raw, normalised: what was transcribed, of which it takes the one or the other.
    """
    if final == (raw if takes_raw else normalised).strip():
        return raw, normalised
    return final, normalise(final, language)
