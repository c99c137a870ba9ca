"""What changed in a corpus."""

import pytest

from kaiku.planning.corpora import Change, compare, item_key, since_kept, texts_since_kept
from kaiku.store.keys import StageKey
from kaiku.store.manifests import AudioRow, TextRow, keep, made_of, write_audio, write_text

BEFORE = {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (BEFORE, ""),
        (BEFORE | {"d": "4", "e": "5"}, "2 recordings added"),
        ({"a": "1", "b": "9", "c": "3"}, "1 recording edited"),
        ({"a": "1"}, "2 recordings removed"),
        ({"a": "1", "b": "2", "z": "3"}, "1 recording renamed"),
        ({"a": "9", "z": "2", "y": "7", "x": "8"}, "2 recordings added, 1 edited, 1 removed, 1 renamed"),
    ],
)
def test_recordings_that_came_were_edited_went_or_were_renamed(now, words):
    assert compare(BEFORE, now).words() == words


def test_copies_of_one_recording_are_told_apart():
    assert compare({"a": "1", "b": "1"}, {"c": "1"}) == Change(removed=1, renamed=1)


def test_an_earlier_key_is_the_one_that_the_job_made():
    key = StageKey("segment", {"pause_ms": 400.0}, ())
    assert item_key(key.text(), "digest", "more") == key.item("digest", "more")


def test_a_manifest_is_compared_with_the_one_that_was_kept(tmp_path):
    audio, texts, carry = tmp_path / "000.audio.tsv", tmp_path / "000.text.tsv", tmp_path / "carry"
    rows = [AudioRow(name, f"{name}.wav", "d", 1, "", "fi", {}) for name in "ab"]
    said = [TextRow("a", None, None, "yksi"), TextRow("b", None, None, "kaksi")]
    write_audio(audio, rows)
    write_text(texts, said)
    keep(audio, carry)
    keep(texts, carry)
    assert made_of(audio, carry).samefile(audio)
    write_audio(audio, rows[:1])
    write_text(texts, [said[0], TextRow("b", None, None, "kolme")])
    assert since_kept(audio, made_of(audio, carry)) == Change(removed=1)
    assert texts_since_kept(texts, made_of(texts, carry)) == 1
