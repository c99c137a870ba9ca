"""One spelling for one text: what looks the same is the same string, and figures stand as they are spoken."""

import re
import unicodedata
from functools import cache

from kaiku.text.finnish import Finnish
from kaiku.text.language import data_of
from kaiku.text.verbalise import Verbaliser

LIBRARIES: tuple[str, ...] = ()

_UNIFIED = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»〝〞＂", '"'),
        **dict.fromkeys("‘’‚‛‹›＇", "'"),
        **dict.fromkeys("‐‑‒–−", "-"),
        # These stand between clauses, often without spaces; a bare hyphen would join two words into one.
        **dict.fromkeys("—―", " - "),
    }
)

# Visible format characters (the Arabic number signs and their kin) stay; so do joiners, which are judged below.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)

# Joiners spell words in these blocks: Arabic to N'Ko, Devanagari to Sinhala, Myanmar, Khmer, Mongolian.
_JOINING = "\u0600-\u07ff\u08a0-\u0dff\u1000-\u109f\u1780-\u18af\ua8e0-\ua8ff"
_STRAY_JOINER = re.compile(f"(?<![{_JOINING}])[\u200c\u200d]+")


def normalise(text: str, language: str) -> str:
    """The text as `plain` has it, with numbers, dates, times, amounts and abbreviations in the words of its language.

    language: BCP 47 tag; its region chooses among variants (pt-PT, en-GB). A language without a data file in
    kaiku/text/languages gets `plain` and nothing else. Idempotent; with a data file no digit is left.
    """
    text = plain(text)
    verbaliser = _verbaliser(language)
    return plain(verbaliser(text)) if verbaliser else text


@cache
def _verbaliser(tag: str) -> Verbaliser | None:
    data = data_of(tag)
    if data is None:
        return None
    return Finnish(data) if data["code"] == "fi" else Verbaliser(data)


def plain(text: str) -> str:
    """The text in Unicode NFC, one space between words, plain quotes and hyphens, no control or invisible characters.

    The same for every language. Idempotent. ZWJ and ZWNJ stay after a letter of a script that spells with them.
    """
    text = _INVISIBLE.sub("", text).translate(_UNIFIED)
    text = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    text = _STRAY_JOINER.sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())
