"""Letters as they are counted: written signs, whatever a script spells them with, and which of them a language has."""

import re
import unicodedata
from functools import cache

LIBRARIES: tuple[str, ...] = ()

_VIRAMA = 9  # canonical combining class of signs that join the next consonant to this one

SCRIPTS = {
    **dict.fromkeys(["as", "bn"], "BENGALI"),
    **dict.fromkeys(["be", "bg", "kk", "ky", "mk", "mn", "ru", "tg", "uk"], "CYRILLIC"),
    **dict.fromkeys(["hi", "kok", "mr", "ne", "sa"], "DEVANAGARI"),
    **dict.fromkeys(["ar", "fa", "ps", "ur"], "ARABIC"),
    **dict.fromkeys(["am", "ti"], "ETHIOPIC"),
    **dict.fromkeys(["he", "yi"], "HEBREW"),
    **dict.fromkeys(["el"], "GREEK"),
    **dict.fromkeys(["gu"], "GUJARATI"),
    **dict.fromkeys(["hy"], "ARMENIAN"),
    **dict.fromkeys(["ka"], "GEORGIAN"),
    **dict.fromkeys(["km"], "KHMER"),
    **dict.fromkeys(["kn"], "KANNADA"),
    **dict.fromkeys(["lo"], "LAO"),
    **dict.fromkeys(["ml"], "MALAYALAM"),
    **dict.fromkeys(["my"], "MYANMAR"),
    **dict.fromkeys(["or"], "ORIYA"),
    **dict.fromkeys(["pa"], "GURMUKHI"),
    **dict.fromkeys(["si"], "SINHALA"),
    **dict.fromkeys(["ta"], "TAMIL"),
    **dict.fromkeys(["te"], "TELUGU"),
    **dict.fromkeys(["th"], "THAI"),
    **dict.fromkeys(["ja"], "CJK HIRAGANA KATAKANA"),
    **dict.fromkeys(["ko"], "HANGUL CJK"),
    **dict.fromkeys(["zh", "yue"], "CJK"),
    **dict.fromkeys(
        re.findall("..", "afcacsdadeeneseteufifrgaglhrhuiditltlvmscymtnbnlnnnoplptroskslsqsvswtltrvi"), "LATIN"
    ),
}
"""First words of the Unicode names of a language's letters; of several, any. Serbian and Uzbek have two, so neither."""

_BASIC = "abcdefghijklmnopqrstuvwxyz"
ALPHABETS = {
    "de": _BASIC + "äöüß",
    "en": _BASIC,
    "es": _BASIC + "áéíñóúü",
    "et": _BASIC + "äõöšüž",
    "fi": _BASIC + "åäöšž",
    "fr": _BASIC + "àâæçèéêëîïôœùûüÿ",
    "it": _BASIC + "àèéìîòóùú",
    "nl": _BASIC + "áéëíïóöúüèàêĳ",
    "pl": _BASIC + "ąćęłńóśźż",
    "pt": _BASIC + "àáâãçéêíóôõúü",
    "sv": _BASIC + "åäöéàü",
}
"""Letters of languages that share a script with others, small ones; foreign names may hold others."""


def signs(text: str) -> int:
    """Letters and figures of a text as a reader counts them: no marks, and a cluster of joined consonants is one."""
    counted, joined = 0, False
    for c in unicodedata.normalize("NFC", text):
        category = unicodedata.category(c)
        if category[0] in "LN":
            counted += not joined
            joined = False
        elif unicodedata.combining(c) == _VIRAMA:
            joined = True
        elif category != "Cf" and category[0] != "M":
            joined = False
    return counted


def foreign_shares(text: str, language: str) -> tuple[float | None, float | None]:
    """Shares (0..1) of a text's letters that are not its language's, and that are of another script altogether.

    None, None where the text has no letters, or nothing is known of the language.
    """
    code = language.replace("_", "-").split("-")[0].lower()
    letters = [c for c in unicodedata.normalize("NFC", text).lower() if unicodedata.category(c)[0] == "L"]
    scripts = tuple(SCRIPTS.get(code, "").split())
    if not letters or not scripts:
        return None, None
    alphabet = ALPHABETS.get(code)
    of_others = sum(not _script(c).startswith(scripts) for c in letters) / len(letters)
    if alphabet is None:
        return of_others, of_others
    return sum(c not in alphabet for c in letters) / len(letters), of_others


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "")
