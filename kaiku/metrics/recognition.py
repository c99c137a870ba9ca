"""Word and character error rates: what a recogniser heard against what should have been said."""

import unicodedata
from collections.abc import Iterable, Sequence

from kaiku.text.distance import edit_distance


def comparable(text: str) -> str:
    """Text as errors are counted in it: case folded, no punctuation, no invisible joiners; accents and marks stay."""
    return unpunctuated(text).casefold()


def unpunctuated(text: str) -> str:
    """The words of a text, one space between them, without punctuation and invisible joiners; its case stays."""
    categories = [(c, unicodedata.category(c)) for c in unicodedata.normalize("NFC", text)]
    kept = "".join(" " if category[0] in "PSZ" else c for c, category in categories if category != "Cf")
    return " ".join(kept.split())


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Errors over reference words of all (reference, heard) pairs together; may exceed 1. NaN without a word."""
    return _error_rate((comparable(a).split(), comparable(b).split()) for a, b in pairs)


def character_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Errors over reference characters, spaces included, of all (reference, heard) pairs together."""
    return _error_rate((comparable(a), comparable(b)) for a, b in pairs)


def _error_rate(pairs: Iterable[tuple[Sequence, Sequence]]) -> float:
    errors = length = 0
    for reference, heard in pairs:
        errors += edit_distance(reference, heard)
        length += len(reference)
    return errors / length if length else float("nan")
