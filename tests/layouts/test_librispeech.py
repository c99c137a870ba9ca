from kaiku.layouts import librispeech


def test_tiny(tiny):
    recordings, problems = tiny(librispeech, language="en")
    part = {"part": "train-clean-100"}
    assert recordings == {
        "train-clean-100/19/198/19-198-0000.flac": (
            *("train-clean-100--19--198--19-198-0000", "19", "en", "NORTHANGER ABBEY"),
            part,
        ),
        "train-clean-100/19/198/19-198-0001.flac": ("train-clean-100--19--198--19-198-0001", "19", "en", "", {}),
        "train-clean-100/26/495/26-495-0000.flac": (
            *("train-clean-100--26--495--26-495-0000", "26", "en", "SOME TIME AGO"),
            part,
        ),
    }
    assert problems == [("train-clean-100/19/198/19-198-0001.flac", "has no row in any *.trans.txt")]


def test_a_part_as_the_corpus_itself(corpus):
    files = {"19/198/19-198-0000.flac": b"", "19/198/19-198.trans.txt": "19-198-0000 HELLO\n19-198-0001\n"}
    recordings, problems = corpus(librispeech, files)
    found = recordings["19/198/19-198-0000.flac"]
    assert (found.speaker, found.texts[0].text, found.extras) == ("19", "HELLO", {})
    assert [p.what for p in problems] == ["line 2 is not id text"]
