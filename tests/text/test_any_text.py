"""What holds for any text in every language that has a data file."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kaiku.text.language import codes, data_of
from kaiku.text.normalise import normalise

TAGS = [*codes(), "en-GB", "es-MX", "pt-PT"]


def holds(text: str, language: str) -> None:
    once = normalise(text, language)
    assert normalise(once, language) == once, "idempotent"
    assert not any(character.isdigit() for character in once)
    assert unicodedata.is_normalized("NFC", once) and once == " ".join(once.split())


def texts(language):
    """Pieces that readers look for, in any order, with anything between."""
    data = data_of(language)
    words = [*data["units"], *data["currency"], *data["abbreviations"], *data["dates"]["months"]]
    figures = st.from_regex(r"\A[0-9]{1,6}([.,:/ -][0-9]{1,4}){0,3}\Z")
    marks = st.sampled_from(
        [" ", "-", ":", "/", ".", ",", "%", "+", "½", "²", "(", "XIV", "२", "౫", "s", "st", "er", "\n"]
    )
    return st.lists(figures | st.sampled_from(words) | marks | st.text(max_size=3), max_size=8).map("".join)


@pytest.mark.parametrize("language", TAGS)
def test_any_text(language):
    @settings(max_examples=60, derandomize=True, deadline=None, database=None)
    @example("")
    @example("31/02/2024 99:99 00/00/00 1/0 -0 +0")
    @example("5Chapter IV5 5Felipe II5 5Kustaa III5 5:nProf. 5%-10% 1.1.2020-2.1.2020 9:00-10:00")
    @example("9" * 5000 + " " + "1." * 50 + "1 " + "1,234" * 20)
    @given(texts(language) | st.text(max_size=40))
    def check(text):
        holds(text, language)

    check()


@pytest.mark.parametrize("language", TAGS)
def test_every_digit_that_unicode_has(language):
    numeric = [chr(c) for c in range(0x110000) if chr(c).isnumeric()]
    holds(" ".join(f"{c} a{c} {c}a" for c in numeric), language)
