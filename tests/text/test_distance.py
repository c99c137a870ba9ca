import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiku.text.distance import edit_distance

WORDS = st.lists(st.sampled_from("abcä"), max_size=90)


def last_of_the_table(one, other):
    row = list(range(len(other) + 1))
    for i, expected in enumerate(one, start=1):
        corner, row[0] = row[0], i
        for j, found in enumerate(other, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (expected != found))
    return row[-1]


@given(WORDS, WORDS)
def test_it_is_the_distance_of_the_plain_table(one, other):
    assert edit_distance(one, other) == last_of_the_table(one, other)


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
