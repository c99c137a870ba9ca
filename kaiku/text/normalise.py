"""One spelling for one text: what looks the same is the same string."""

import re
import unicodedata

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
    """The text in Unicode NFC, one space between words, plain quotes and hyphens, no control or invisible characters.

    language: BCP 47 tag; no rule depends on it yet: numbers, dates and abbreviations stay as written.
    Idempotent. ZWJ and ZWNJ stay after a letter of a script that spells with them.
    """
    text = _INVISIBLE.sub("", text).translate(_UNIFIED)
    text = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    text = _STRAY_JOINER.sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())
