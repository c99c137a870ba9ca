import pytest

from kaiku.layouts import Span, recordings

CAPTIONS = "WEBVTT\n\n1\n00:01.000 --> 00:02.000\nhei\n\n00:02.000 --> 00:03.500\nmaailma\n"
SPANS = (Span(1.0, 2.0, "hei"), Span(2.0, 3.5, "maailma"))


def test_captions_beside(corpus):
    found, problems = corpus(
        recordings, {"aino/2024/talk.webm": b"", "aino/2024/talk.vtt": CAPTIONS, "aino/b.m4a": b""}
    )
    talk = found["aino/2024/talk.webm"]
    assert (talk.id, talk.speaker, talk.texts) == ("aino--2024--talk", "aino", SPANS)
    assert found["aino/b.m4a"].texts == () and not problems


def test_captions_of_the_corpus_language(corpus):
    files = {"s/a.mp3": b"", "s/a.fi.vtt": CAPTIONS, "s/a.en.vtt": "WEBVTT\n"}
    found, problems = corpus(recordings, files, language="fi")
    assert found["s/a.mp3"].texts == SPANS
    assert [(p.where, p.what) for p in problems] == [("s/a.en.vtt", "belongs to no recording")]


def test_captions_without_a_language_come_first(corpus):
    found, _ = corpus(recordings, {"s/a.mp3": b"", "s/a.vtt": CAPTIONS, "s/a.fi.vtt": "WEBVTT\n"}, language="fi")
    assert found["s/a.mp3"].texts == SPANS


def test_the_case_of_a_suffix_does_not_matter_but_where_both_are_there(corpus):
    files = {"s/a.MP3": b"", "s/a.VTT": CAPTIONS, "s/b.mp3": b"", "s/b.fi.Vtt": CAPTIONS, "s/z.VTT": CAPTIONS}
    files |= {"s/c.mp3": b"", "s/c.vtt": CAPTIONS, "s/c.VTT": "WEBVTT\n"}
    found, problems = corpus(recordings, files, language="fi")
    assert {path: r.texts for path, r in found.items()} == dict.fromkeys(["s/a.MP3", "s/b.mp3", "s/c.mp3"], SPANS)
    assert [(p.where, p.what) for p in problems] == [
        ("s/c.VTT", "belongs to no recording"),
        ("s/z.VTT", "belongs to no recording"),
    ]


@pytest.mark.parametrize(
    ("captions", "what"),
    [
        ("WEBVTT\n\n00:01.000 -> 00:02.000\nhei\n", "line 3"),
        ("1\n00:00:01,000 --> 00:00:02,000\nhei\n", "line 1"),
        ("WEBVTT\n\nNOTE nothing\n", "no captions"),
        (CAPTIONS.replace("hei", "hé").encode("latin-1"), "cp1252"),
    ],
)
def test_captions_that_are_none_leave_the_recording(corpus, captions, what):
    found, problems = corpus(recordings, {"s/a.mp3": b"", "s/a.vtt": captions})
    assert [p.where for p in problems] == ["s/a.vtt"] and what in problems[0].what
    assert len(found["s/a.mp3"].texts) == (2 if what == "cp1252" else 0)


def test_speaker_of_settings_or_first_folder_or_none(corpus):
    files = {"a/b/c.wav": b"", "d.wav": b""}
    found, problems = corpus(recordings, files)
    assert {r.path: r.speaker for r in found.values()} == {"a/b/c.wav": "a", "d.wav": ""}
    assert ["1 of 2" in p.what for p in problems] == [True]
    found, problems = corpus(recordings, files, speaker="aino")
    assert {r.speaker for r in found.values()} == {"aino"} and not problems
