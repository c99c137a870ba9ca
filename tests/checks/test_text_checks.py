"""What each check of texts finds, on texts whose faults are known."""

import pytest

from kaiku.checks import agreement, repetition, script, speech_rate
from kaiku.text.spoken import SpokenText


def rate(text, speech_s, language="fi"):
    clip = SpokenText(text, language, speech_s=speech_s)
    return speech_rate.measure(clip, speech_rate.Settings())["chars_per_s"]


def differ(ours, theirs):
    return tuple(agreement.measure(SpokenText(ours, "fi", second=theirs), agreement.Settings()).values())


def repeated(text, **settings):
    return repetition.measure(SpokenText(text, "fi"), repetition.Settings(**settings))["repeated_share"]


def test_a_rate_counts_what_is_read_a_second_of_speech():
    assert rate("kaiku soi", 2.0) == 4.0
    assert rate("నమస్కారం", 2.0, "te") == 2.0, "joined consonants and vowel signs are no signs of their own"
    assert rate("kaiku", 0.2) is None and rate("kaiku", None) is None and rate("", 2.0) is None


def test_a_text_in_another_language():
    found = script.measure(SpokenText("привет", "fi-FI"), script.Settings())
    assert found == {"foreign_letters_share": 1.0, "foreign_script_share": 1.0}
    found = script.measure(SpokenText("größe", "fi"), script.Settings())
    assert found == {"foreign_letters_share": 0.2, "foreign_script_share": 0.0}, "ß is not Finnish, ö is"


def test_two_transcribers():
    assert differ("Kaiku soi!", "kaiku  soi") == (0.0, 0.0)
    assert differ("kaiku soi", "kaiku soit") == (0.1, 0.5)
    assert differ("kaiku", "") == (1.0, 1.0) and differ("", "kaiku") == (1.0, 1.0)
    assert differ("", "") == (None, None) and differ("kaiku", None) == (None, None)
    assert differ("on", "se on aivan muuta kuin luultiin") == pytest.approx((29 / 31, 5 / 6))


@pytest.mark.parametrize(
    "text, share",
    [
        ("kiitos kiitos kiitos kiitos", 1.0),
        ("no niin ja sitten sitten sitten", 0.5),
        ("ja niin edelleen ja niin edelleen ja niin edelleen loppu", 0.9),
        ("no no niin niin", 0.0),
        ("a b a b a", 0.0),
        ("a b a b a b a", 6 / 7),
        ("yksi", 0.0),
        ("ありがとう" * 5, 1.0),
        ("", None),
    ],
)
def test_a_phrase_over_and_over(text, share):
    assert repeated(text) == pytest.approx(share)


def test_how_often_is_over_and_over_can_be_set():
    assert repeated("no no niin", least_times=2) == pytest.approx(2 / 3)
    assert repeated("a b c d a b c d a b c d", longest_phrase=3) == 0.0
