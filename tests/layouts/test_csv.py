import pytest

from kaiku.layouts import csv

HOSTILE = ["with space", 'quo"te', "new\nline", "నమస్కారం", "dots..", "semi;colon", "a,b|c", "100%"]


def quoted(*fields):
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def test_tiny(tiny):
    recordings, problems = tiny(csv, language="pt")
    assert recordings == {
        "clips/a.mp3": ("clips--a", "ana", "pt", "Olá, mundo", {"style": "happy"}),
        "clips/b,c.wav": ("clips--b,c", "bob", "pt", 'say "hi"', {}),
        "clips/d.wav": ("clips--d", "", "pt", "", {}),
    }
    assert problems == [
        ("clips/d.wav", "has no row in any *.csv"),
        ("clips/d.wav", "1 of 3 recordings have no speaker"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_by_settings_and_any_delimiter(corpus, delimiter):
    lines = [["who", "path", "sentence", "lang", "snr"], ["aino", "a.wav", "hei", "fi", "30"]]
    table = "\n".join(delimiter.join(line) for line in lines)
    columns = {"file": "path", "text": "sentence", "speaker": "who", "language": "lang"}
    recordings, problems = corpus(csv, {"a.wav": b"", "t.csv": table}, columns=columns)
    found = recordings["a.wav"]
    assert (found.speaker, found.language, found.texts[0].text) == ("aino", "fi", "hei")
    assert found.extras == {"snr": "30"} and not problems


def test_hostile_names(corpus):
    table = quoted("file", "text") + "".join(quoted(f"s/{name}.wav", f"text of {name}") for name in HOSTILE)
    files = {"t.csv": table, **{f"s/{name}.wav": b"" for name in HOSTILE}}
    recordings, problems = corpus(csv, files, speaker="s")
    assert not problems and len({r.id for r in recordings.values()}) == len(HOSTILE)
    for name in HOSTILE:
        assert recordings[f"s/{name}.wav"].texts[0].text == f"text of {' '.join(name.split())}"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.wav", "deep/a.wav"),
        ("deep/a.wav", "deep/a.wav"),
        ("/old/place/deep/a.wav", "deep/a.wav"),
        ("a", "deep/a.wav"),
        ("a.mp3", "deep/a.wav"),
        ("../b.wav", "b.wav"),
        ("/old/b.wav", "b.wav"),
        ("/deep/../deep/a.wav", "deep/a.wav"),
        ("../../b.wav", None),
        ("/old/c.wav", None),
        ("..", None),
        (".", None),
    ],
)
def test_where_a_file_is_looked_for(corpus, name, found):
    files = {"deep/a.wav": b"", "b.wav": b"", "deep/t.csv": f"file,text\n{name},hei\n"}
    recordings, problems = corpus(csv, files, speaker="s")
    assert [path for path, r in recordings.items() if r.texts] == ([found] if found else [])
    assert [p.what for p in problems if "names" in p.what] == ([] if found else [f"names {name}, which has no audio"])


def test_a_row_without_a_name_is_not_of_the_audio_that_is_called_as_its_folder(corpus):
    files = {"deep/a.wav": b"", "deep.wav": b"", "deep/t.csv": "file,text\na.wav,hei\n,moi\n"}
    recordings, problems = corpus(csv, files, speaker="s")
    assert [path for path, r in recordings.items() if r.texts] == ["deep/a.wav"]
    assert problems[0].what == "has a row that names no file"


def test_what_stands_before_an_open_quote_is_read_and_nothing_after_it(corpus):
    table = 'file,text\na.wav,"two\nlines"\nb.wav,"open\nc.wav,"closed"\n'
    recordings, problems = corpus(csv, {"a.wav": b"", "b.wav": b"", "c.wav": b"", "t.csv": table}, speaker="s")
    assert {path: r.texts[0].text for path, r in recordings.items() if r.texts} == {"a.wav": "two lines"}
    assert problems[0].what == """cannot be read on from line 4: ',' expected after '"'"""


def test_a_blank_line_before_the_header_changes_nothing(corpus):
    recordings, problems = corpus(csv, {"a.wav": b"", "t.csv": " \nfile;text\na.wav;hei, sinä\n"}, speaker="s")
    assert recordings["a.wav"].texts[0].text == "hei, sinä" and not problems


def test_an_exact_name_comes_before_one_with_another_suffix(corpus):
    files = {"a.flac": b"", "a.wav": b"", "t.csv": "file,text\na.wav,hei\n"}
    recordings, _ = corpus(csv, files, speaker="s")
    assert recordings["a.wav"].texts and not recordings["a.flac"].texts


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("path,text\na.wav,hei\n", "has the columns path, text, and none is called file"),
        ("file,text\na.wav,hei,too,many\n", "line 2 has 4 fields under 2 columns"),
        ("file,text\na.wav,hei\na.wav,moi\n", "names a.wav more than once"),
        ("file,text\na.wav,\n", "holds no text"),
        (f"file,text\na.wav,{'x' * 4000}\n", "holds 4,000 characters, more than 2,000 for one clip"),
        ("file,text\na.wav,hé\n".encode("latin-1"), "is not UTF-8; read as cp1252"),
        ('file,text\na.wav,"' + "x" * 140_000, "cannot be read on from line 2: field larger than field limit (131072)"),
        ('file,text\na.wav,"hei\nb.wav,moi\n', "cannot be read on from line 2: unexpected end of data"),
    ],
)
def test_bad_tables_are_told(corpus, table, what):
    recordings, problems = corpus(csv, {"a.wav": b"", "t.csv": table}, speaker="s")
    assert list(recordings) == ["a.wav"] and problems[0].what == what
