import pytest

from kaiku.layouts import libritts


def test_tiny(tiny):
    recordings, problems = tiny(libritts, language="en")
    part = {"part": "train-clean-100"}
    assert recordings == {
        "train-clean-100/19/198/19_198_000000_000000.wav": (
            *("train-clean-100--19--198--19_198_000000_000000", "19", "en", "Chapter one."),
            part,
        ),
        "train-clean-100/26/495/26_495_000004_000001.wav": (
            *("train-clean-100--26--495--26_495_000004_000001", "26", "en", "Some time ago."),
            part,
        ),
        "train-clean-100/26/495/26_495_000004_000002.wav": (
            *("train-clean-100--26--495--26_495_000004_000002", "26", "en", ""),
            part,
        ),
    }
    assert problems == [("train-clean-100/26/495/26_495_000004_000002.wav", "has no .normalized.txt beside it")]


@pytest.mark.parametrize(("text", "expected"), [("normalized", "Chapter one."), ("original", "Chapter 1.")])
def test_which_text(tiny, text, expected):
    recordings, _ = tiny(libritts, text=text)
    assert recordings["train-clean-100/19/198/19_198_000000_000000.wav"][3] == expected
