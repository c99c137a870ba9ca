import pytest

from kaiku.errors import KaikuError
from kaiku.text.vtt import parse


def test_all_the_format_has():
    text = """WEBVTT - a title
Kind: captions
Language: fi

STYLE
::cue { color: red }

REGION
id:bottom

NOTE a remark
over two lines

intro
00:00.000 --> 00:01.500 align:start position:0%
<v Aino>Hei <i>maailma</i>,
mitä<00:00:01.000><c> kuuluu</c>?

NOTE

01:02:03.004 --> 100:00:00.000
&lt;b&gt; &amp; muuta&nbsp;asiaa

00:00:02.000 --> 00:00:03.000

"""
    assert parse(text) == [
        (0.0, 1.5, "Hei maailma, mitä kuuluu?"),
        (3723.004, 360000.0, "<b> & muuta asiaa"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(end):
    lines = ["\ufeffWEBVTT", "", "00:01.000 --> 00:02.000", "yksi", "", "", "00:03.000\t-->\t00:04.000", "kaksi"]
    assert parse(end.join(lines)) == [(1.0, 2.0, "yksi"), (3.0, 4.0, "kaksi")]


def test_nothing_but_the_header():
    assert parse("WEBVTT") == parse("WEBVTT\n\n\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n00:01.000 --> 00:02.000\nyksi\n\n00:02.000 --> 00:03.000\nkaksi",
        "WEBVTT\nLanguage: fi\n00:01.000 --> 00:02.000\nyksi\n\n00:02.000 --> 00:03.000\nkaksi",
        "WEBVTT\n\n00:01.000 --> 00:02.000\nyksi\n00:02.000 --> 00:03.000\nkaksi",
        "WEBVTT\n\n00:00.000 --> 00:01.000\n00:01.000 --> 00:02.000\nyksi\n00:02.000 --> 00:03.000\nkaksi",
        "WEBVTT\n\nNOTE\n00:01.000 --> 00:02.000\nyksi\n\nSTYLE\n::cue { }\n00:02.000 --> 00:03.000\nkaksi",
    ],
)
def test_times_begin_a_cue_without_an_empty_line(text):
    assert parse(text) == [(1.0, 2.0, "yksi"), (2.0, 3.0, "kaksi")]


def test_other_line_separators_are_text():
    assert parse("WEBVTT\n\n00:01.000 --> 00:02.000\na\u2028b\x0cc") == [(1.0, 2.0, "a b c")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("1\n00:00:01,000 --> 00:00:02,000\nSRT", 1),
        ("WEBVTTX\n", 1),
        ("WEBVTT\n\nno times at all\nsecond line", 3),
        ("WEBVTT\n\nid\n00:00:01,000 --> 00:00:02,000\ncomma", 4),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nok\n\n\n00:61.000 --> 00:62.000\nseconds", 7),
        ("WEBVTT\n\n00:02.000 --> 00:02.000\nno length", 3),
        ("WEBVTT\n\n00:03.000 --> 00:02.000\nbackwards", 3),
        ("WEBVTT\n\n00:01.000 --> 00:02.000x\nno space", 3),
    ],
)
def test_errors_name_the_line(text, line):
    with pytest.raises(KaikuError, match=rf"^line {line}: "):
        parse(text)
