import pytest

from kaiku.layouts import css10


def test_tiny(tiny):
    recordings, problems = tiny(css10, language="fi", speaker="reader")
    assert recordings == {
        "rautatie/rautatie_0001.wav": ("rautatie--rautatie_0001", "reader", "fi", "Luku yksi.", {}),
        "rautatie/rautatie_0002.wav": ("rautatie--rautatie_0002", "reader", "fi", "Matti tuli.", {}),
        "rautatie/rautatie_0003.wav": ("rautatie--rautatie_0003", "reader", "fi", "", {}),
    }
    assert problems == [("rautatie/rautatie_0003.wav", "has no row in any transcript.txt")]


@pytest.mark.parametrize(
    ("column", "texts"), [("raw", ["5 lasta", "seitsemän"]), ("normalised", ["viisi lasta", "seitsemän"])]
)
def test_which_text_and_where_one_is_empty(corpus, column, texts):
    table = "b/1.wav|5 lasta|viisi lasta|1.0\nb/2.wav|seitsemän||1.0\nb/3.wav|no duration|no duration\n"
    files = {"b/1.wav": b"", "b/2.wav": b"", "transcript.txt": table}
    recordings, problems = corpus(css10, files, column=column, speaker="s")
    assert [r.texts[0].text for r in recordings.values()] == texts
    assert [p.what for p in problems] == ["line 3 is not path|raw|normalised|duration"]
