import unicodedata

import pytest

from kaiku.text.normalise import normalise, plain


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fi", "  Hyvää \t päivää\n", "Hyvää päivää"),
        ("fi", "a\u0308iti", "äiti"),
        ("en", "“Don’t,” he said – ‘no’", "\"Don't,\" he said - 'no'"),
        ("fr", "«\u00a0Bonjour\u202f»", '" Bonjour "'),
        ("de", "„Ja“ ‚nein‘", "\"Ja\" 'nein'"),
        ("pt", "— Olá—disse ela — e saiu", "- Olá - disse ela - e saiu"),
        ("en", "10–20 well‑known −5", "10-20 well-known -5"),
        ("en", "zero\u200bwidth so\u00adft \ufeffbom\u2060 \u200ertl\u200f", "zerowidth soft bom rtl"),
        ("en", "nul\x00l bell\x07 del\x7f c1\x9b", "null bell del c1"),
        ("en", "page\x0cfeed\x85line\u2028sep", "page feed line sep"),
        ("te", "క్\u200cష రా\u200dమ", "క్\u200cష రా\u200dమ"),
        ("te", "\u200cక a\u200db \u200d", "క ab"),
        ("fa", "می\u200cروم", "می\u200cروم"),
        ("und", "", ""),
        ("und", " \u200b\n", ""),
        ("en", "Dr. No paid $5 on 1/2…", "Dr. No paid $5 on 1/2…"),
    ],
)
def test_plain(language, text, expected):
    assert plain(text) == expected
    if language in ("fa", "fr", "und"):
        assert normalise(text, language) == expected, "a language without a data file gets no more"


def test_plain_is_idempotent_and_clean_on_every_character():
    for start in range(0, 0x110000, 0x400):
        points = [c for c in range(start, start + 0x400) if not 0xD800 <= c < 0xE000]
        once = plain(" ".join(f"a{chr(c)}b క{chr(c)}క" for c in points))
        assert plain(once) == once
        assert unicodedata.is_normalized("NFC", once) and "  " not in once
        assert not any(unicodedata.category(c) == "Cc" for c in once)
