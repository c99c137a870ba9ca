import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiku.metrics import recognition
from kaiku.text.distance import edit_distance

WORDS = st.lists(st.sampled_from("abcä"), max_size=90)


@given(WORDS, WORDS)
def test_it_is_the_distance_of_the_plain_table(one, other):
    assert edit_distance(one, other) == recognition.edit_distance(one, other)


@pytest.mark.parametrize(
    "one, other, distance",
    [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("kaiku", "kaiku", 0), ("ab", "ba", 2)],
)
def test_known_distances(one, other, distance):
    assert edit_distance(one, other) == distance
    assert edit_distance(list(one), list(other)) == distance


def test_texts_of_thousands_of_letters():
    rng = random.Random(0)
    text = "".join(rng.choice("aeiou klmn") for _ in range(4000))
    places = rng.sample(range(4000), 100)
    other = "".join("#" if i in places else c for i, c in enumerate(text))
    assert edit_distance(text, other) == 100
    assert edit_distance(text, text[17:]) == 17
