"""Error rates counted by hand."""

import math

import pytest

from kaiku.metrics.recognition import character_error_rate, comparable, word_error_rate


def test_what_is_compared():
    assert comparable("  Päivää, MAAILMA -- hyvä!\n") == "päivää maailma hyvä"
    assert comparable("తెలుగు\u200c భాష.") == "తెలుగు భాష"
    assert comparable("a\u0308iti") == "äiti", "composed and decomposed letters are the same"


def test_rates_over_all_pairs_together():
    pairs = [("koira näkee talon", "koira näki talon"), ("kissa", "kissa ja")]
    assert word_error_rate(pairs) == 2 / 4  # one substitution, one insertion, four words
    assert character_error_rate([("abcd", "abxd"), ("ef", "ef")]) == pytest.approx(1 / 6)
    assert word_error_rate([("a", "b c d")]) == 3.0, "may exceed 1"
    assert math.isnan(word_error_rate([("...", "word")]))
