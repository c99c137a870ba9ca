import pytest

from kaiku.layouts import tsv

HEADER = "file\ttext\tlanguage\tspeaker"


def test_columns_and_extras(corpus):
    table = f'\ufeff{HEADER}\tstyle\r\na.mp3\tse sanoi  "ei"\tfi\taino\tcalm\r\nx/b c.wav\tyes\t\t\t\r\n'
    found, problems = corpus(tsv, {"t.tsv": table, "a.mp3": b"", "x/b c.wav": b""}, language="en", speaker="bob")
    a, b = found["a.mp3"], found["x/b c.wav"]
    assert (a.speaker, a.language, a.texts[0].text, a.extras) == ("aino", "fi", 'se sanoi "ei"', {"style": "calm"})
    assert (b.speaker, b.language, b.texts[0].text, b.extras) == ("bob", "en", "yes", {})
    assert (b.id, problems) == ("x--b c", [])


def test_a_column_without_a_name_is_left_out(corpus):
    found, problems = corpus(tsv, {"t.tsv": "file\ttext\t\na.wav\thei\tx\n", "a.wav": b""}, speaker="s")
    assert found["a.wav"].extras == {} and found["a.wav"].texts[0].text == "hei" and not problems


def test_only_file_is_needed(corpus):
    found, problems = corpus(tsv, {"t.tsv": "text\tfile\nhei\ta.wav\n", "a.wav": b""}, speaker="s")
    assert found["a.wav"].texts[0].text == "hei" and not problems


def test_tables_anywhere_name_files_from_their_folder(corpus):
    files = {
        "fi/t.tsv": f"{HEADER}\n./clips/a.wav\thei\tfi\ts\n../b.wav\tmoi\tfi\ts\n",
        "fi/clips/a.wav": b"",
        "b.wav": b"",
    }
    found, problems = corpus(tsv, files)
    assert found["fi/clips/a.wav"].texts[0].text == "hei" and found["b.wav"].texts[0].text == "moi" and not problems


def test_audio_without_row_is_taken_without_text(corpus):
    found, problems = corpus(tsv, {"t.tsv": HEADER + "\n", "a.wav": b""}, speaker="s", language="fi")
    assert (found["a.wav"].texts, found["a.wav"].speaker, found["a.wav"].language) == ((), "s", "fi") and not problems


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("x/../gone.wav\tx\tfi\ts", "names x/../gone.wav, which has no audio"),
        ("../../etc/passwd\tx\tfi\ts", "names ../../etc/passwd, which has no audio"),
        ("/a.wav\tx\tfi\ts", "names /a.wav, which has no audio"),
        ("a.wav\tmoi\tfi\tz", "says another text, speaker of a.wav than the rows before it"),
        ("a.wav\ttoo few", "line 3 has 2 fields under 4 columns"),
        ("b.wav\t\tfi\ts", "holds no text"),
    ],
)
def test_bad_rows_are_told(corpus, row, what):
    table = f"{HEADER}\na.wav\thei\tfi\ts\n{row}\n"
    found, problems = corpus(tsv, {"t.tsv": table, "a.wav": b"", "b.wav": b""}, speaker="s")
    assert [p.what for p in problems] == [what]
    assert found["a.wav"].texts[0].text == "hei" and found["b.wav"].texts == ()


def test_tables_complete_each_other(corpus):
    files = {
        "a.tsv": "file\tsnr\na.wav\t30\n",
        "b.tsv": f"{HEADER}\na.wav\thei\tfi\ts\n",
        "c.tsv": f"{HEADER}\na.wav\thei\tfi\t\n",
        "a.wav": b"",
    }
    found, problems = corpus(tsv, files)
    a = found["a.wav"]
    assert (a.texts[0].text, a.language, a.speaker, a.extras, problems) == ("hei", "fi", "s", {"snr": "30"}, [])


@pytest.mark.parametrize(
    ("table", "what"),
    [("a.wav\thei\n", "none is called file"), ("path,text\na.wav,hei\n", "none is called file"), ("\n", "is empty")],
)
def test_a_table_without_header_is_told_and_not_used(corpus, table, what):
    found, problems = corpus(tsv, {"t.tsv": table, "a.wav": b""}, speaker="s")
    assert [p.where for p in problems] == ["t.tsv"] and what in problems[0].what
    assert found["a.wav"].texts == ()
