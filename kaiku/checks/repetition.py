"""How much of a text is one phrase over and over: what recognisers write where they lost the thread."""

from collections.abc import Sequence

from pydantic import Field

from kaiku.metrics.recognition import comparable
from kaiku.strict import Strict
from kaiku.text.spoken import SpokenText

NEEDS = "text"
LIBRARIES: tuple[str, ...] = ()
FIELDS = {
    "repeated_share": "share of the text's words that lie in its longest run of one phrase; of a text that is written "
    "without spaces, of its letters.",
}
_UNSPACED = 20  # letters of a text without any space that is taken letter by letter


class Settings(Strict):
    """What counts as over and over."""

    least_times: int = Field(3, ge=2, description="Times that a phrase stands side by side; two are usual in speech.")
    longest_phrase: int = Field(12, ge=1, description="Words (or letters) of a phrase at most.")


def measure(clip: SpokenText, settings: Settings) -> dict[str, float | None]:
    """See FIELDS; None without a word."""
    text = comparable(clip.text)
    units: Sequence[str] = text.split()
    if len(units) == 1 and len(text) >= _UNSPACED:
        units = text
    if not units:
        return {"repeated_share": None}
    return {"repeated_share": longest_loop(units, settings.least_times, settings.longest_phrase) / len(units)}


def longest_loop(units: Sequence[str], least_times: int, longest_phrase: int) -> int:
    """Units in the longest run of one phrase of up to so many units, whole times counted."""
    longest = 0
    for size in range(1, min(longest_phrase, len(units) // least_times) + 1):
        same = 0  # units in a row that are what stood a phrase's length before
        for place in range(size, len(units)):
            same = same + 1 if units[place] == units[place - size] else 0
            times = same // size + 1
            if times >= least_times:
                longest = max(longest, times * size)
    return longest
