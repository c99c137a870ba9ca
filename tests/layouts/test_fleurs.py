import pytest

from kaiku.layouts import fleurs


def test_tiny(tiny):
    recordings, problems = tiny(fleurs, language="fi")
    assert recordings == {
        "audio/dev/103.wav": (
            *("audio--dev--103", "", "fi", "Kiitos."),
            {"sentence": "9", "gender": "male", "split": "dev"},
        ),
        "audio/train/101.wav": (
            *("audio--train--101", "", "fi", "Hyvää päivää!"),
            {"sentence": "7", "gender": "female", "split": "train"},
        ),
        "audio/train/102.wav": ("audio--train--102", "", "fi", "", {}),
    }
    assert problems == [
        ("audio/train/102.wav", "has no row in any train.tsv or dev.tsv or test.tsv"),
        ("audio/dev/103.wav", "3 of 3 recordings have no speaker"),
    ]


def test_the_normalised_text(tiny):
    recordings, _ = tiny(fleurs, column="normalised")
    assert recordings["audio/train/101.wav"][3] == "hyvää päivää"


@pytest.mark.parametrize("place", ["audio/train", "train"])
def test_one_name_in_two_splits(corpus, place):
    row = "1\t9.wav\t{0}\t{0}\tx\t1\tMALE\n"
    other = place.replace("train", "test")
    files = {
        **{f"{place}/9.wav": b"", f"{other}/9.wav": b""},
        **{"train.tsv": row.format("yksi"), "test.tsv": row.format("kaksi")},
    }
    recordings, problems = corpus(fleurs, files, speaker="s")
    assert {path: r.texts[0].text for path, r in recordings.items()} == {
        f"{place}/9.wav": "yksi",
        f"{other}/9.wav": "kaksi",
    }
    assert not problems
