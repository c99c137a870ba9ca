import pytest

from kaiku.text.letters import ALPHABETS, SCRIPTS, foreign_shares, signs


@pytest.mark.parametrize(
    "text, count",
    [
        ("kaiku soi!", 8),
        ("järvi", 5),
        ("ja\u0308rvi", 5),
        ("3 kg", 3),
        ("", 0),
        ("...", 0),
        ("తెలుగు", 3),
        ("నమస్కారం", 4),  # na, ma, skaa (s and k joined), ram
        ("हिन्दी", 2),
        ("क्\u200dष", 1),
        ("हिन् दी", 3),
    ],
)
def test_signs_are_counted_as_they_are_read(text, count):
    assert signs(text) == count


@pytest.mark.parametrize(
    "text, language, shares",
    [
        ("kaiku", "fi", (0.0, 0.0)),
        ("KÄRÄ", "fi-FI", (0.0, 0.0)),
        ("straße", "fi", (1 / 6, 0.0)),
        ("кай ku", "fi", (3 / 5, 3 / 5)),
        ("తెలుగు", "te", (0.0, 0.0)),
        ("తెలుగు", "hi", (1.0, 1.0)),
        ("hello", "te_IN", (1.0, 1.0)),
        ("bună", "ro", (0.0, 0.0)),
        ("日本ひカ", "ja", (0.0, 0.0)),
        ("123 !", "fi", (None, None)),
        ("kaiku", "und", (None, None)),
    ],
)
def test_letters_that_are_another_languages(text, language, shares):
    assert foreign_shares(text, language) == pytest.approx(shares)


def test_an_alphabet_is_of_its_languages_script():
    for code, alphabet in ALPHABETS.items():
        assert alphabet == alphabet.lower() and len(set(alphabet)) == len(alphabet)
        assert foreign_shares(alphabet, code) == (0.0, 0.0), code
        assert SCRIPTS[code] == "LATIN"
