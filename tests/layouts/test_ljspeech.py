import unicodedata

import pytest

from kaiku.layouts import ljspeech

METADATA = 'LJ001|Mr. 5 said "no"|Mister five said "no"\r\nLJ002|plain\nLJ003|written|\n\n'


def text_of(recording):
    return [span.text for span in recording.texts]


@pytest.mark.parametrize("place", ["wavs/", "audio/", ""])
@pytest.mark.parametrize("suffix", ["wav", "webm", "FLAC"])
def test_any_suffix_in_any_of_the_places(corpus, place, suffix):
    files = {f"{place}LJ00{i}.{suffix}": b"" for i in (1, 2, 3)}
    found, problems = corpus(ljspeech, {"metadata.csv": METADATA, **files}, speaker="LJ", language="en")
    assert [text_of(r) for r in found.values()] == [['Mister five said "no"'], ["plain"], ["written"]]
    assert {(r.speaker, r.language) for r in found.values()} == {("LJ", "en")} and not problems
    assert [r.id for r in found.values()] == [f"{place}LJ00{i}".replace("/", "--") for i in (1, 2, 3)]


def test_the_column_as_written(corpus):
    found, _ = corpus(ljspeech, {"metadata.csv": METADATA, "wavs/LJ001.wav": b""}, column="text")
    assert text_of(found["wavs/LJ001.wav"]) == ['Mr. 5 said "no"']


def test_rows_and_audio_without_each_other(corpus):
    files = {"metadata.csv": "a|yksi\nb|kaksi\n", "wavs/a.wav": b"", "wavs/c.wav": b""}
    found, problems = corpus(ljspeech, files, speaker="x")
    assert sorted(found) == ["wavs/a.wav", "wavs/c.wav"] and found["wavs/c.wav"].texts == ()
    assert [(p.where, p.what) for p in problems] == [
        ("metadata.csv", "names b, which has no audio"),
        ("wavs/c.wav", "has no row in any metadata.csv"),
    ]


def test_bad_rows_are_told_by_line(corpus):
    files = {"metadata.csv": "a|yksi\nnonsense\n|no id\na|b|c|d\na|once more\n", "a.wav": b""}
    found, problems = corpus(ljspeech, files, speaker="x")
    assert text_of(found["a.wav"]) == ["yksi"]
    assert [p.what.split(" is ")[0] for p in problems] == ["line 2", "line 3", "line 4", "names a more than once"]


def test_several_tables_each_for_its_folder(corpus):
    files = {"m/metadata.csv": "1|him", "m/wavs/1.wav": b"", "f/metadata.csv": "1|her", "f/wavs/1.wav": b""}
    found, problems = corpus(ljspeech, files, speaker="x")
    assert (text_of(found["m/wavs/1.wav"]), text_of(found["f/wavs/1.wav"])) == (["him"], ["her"]) and not problems


def test_ids_with_suffix_dots_or_decomposed_letters(corpus):
    files = {
        "metadata.csv": f"a.wav|one\nb.01|two\n{unicodedata.normalize('NFD', 'ä')}|three\n",
        "wavs/a.wav": b"",
        "wavs/b.01.wav": b"",
        "wavs/ä.wav": b"",
    }
    found, problems = corpus(ljspeech, files, speaker="x")
    assert [text_of(r) for r in found.values()] == [["one"], ["two"], ["three"]] and not problems


def test_no_table(corpus):
    found, problems = corpus(ljspeech, {"wavs/a.wav": b"", "wavs/b.wav": b""}, speaker="x")
    assert len(found) == 2 and [p.where for p in problems] == ["metadata.csv"]


def test_latin1_table_is_read_and_told(corpus):
    found, problems = corpus(ljspeech, {"metadata.csv": "a|hän".encode("latin-1"), "a.wav": b""}, speaker="x")
    assert text_of(found["a.wav"]) == ["hän"] and ["cp1252" in p.what for p in problems] == [True]
