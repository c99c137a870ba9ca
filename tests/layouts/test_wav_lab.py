import pytest

from kaiku.layouts import Span, beside, wav_lab


def test_texts_and_speakers(corpus):
    recordings, problems = corpus(
        wav_lab,
        {
            "SPK1/a.wav": b"",
            "SPK1/a.lab": "Hyvää  päivää.\r\n kaikki\n",
            "deep/SPK2/b.flac": b"",
            "deep/SPK2/b.txt": "toinen",
        },
        language="fi",
    )
    a, b = recordings["SPK1/a.wav"], recordings["deep/SPK2/b.flac"]
    assert (a.id, a.speaker, a.language, a.texts) == (
        "SPK1--a",
        "SPK1",
        "fi",
        (Span(None, None, "Hyvää päivää. kaikki"),),
    )
    assert (b.id, b.speaker, b.texts) == ("deep--SPK2--b", "SPK2", (Span(None, None, "toinen"),))
    assert problems == []


def test_tokens_beside_the_audio_are_found_and_change_no_recording(corpus, folder):
    contents = {"s/a.wav": b"", "s/a.lab": "x", "s/b.wav": b"", "s/b.lab": "y"}
    without_tokens, _ = corpus(wav_lab, contents)
    with_tokens, problems = corpus(wav_lab, {"s/a.npy": b"", "s/z.npy": b"", "s/._b.npy": b""})
    assert with_tokens == without_tokens and not problems
    assert beside(folder.files(), ".npy") == {"s/a.wav": "s/a.npy"}


def test_lab_wins_over_txt(corpus):
    recordings, problems = corpus(wav_lab, {"s/a.wav": b"", "s/a.lab": "lab", "s/a.txt": "txt"})
    assert recordings["s/a.wav"].texts[0].text == "lab" and not problems


def test_the_case_of_a_suffix_does_not_matter(corpus):
    files = {"s/a.WAV": b"", "s/a.LAB": "yksi", "s/b.wav": b"", "s/b.TXT": "kaksi", "s/z.LAB": "x"}
    recordings, problems = corpus(wav_lab, files)
    assert {path: r.texts[0].text for path, r in recordings.items()} == {"s/a.WAV": "yksi", "s/b.wav": "kaksi"}
    assert [(p.where, p.what) for p in problems] == [("s/z.LAB", "has no audio beside it")]


def test_speaker_of_the_corpus_wins(corpus):
    recordings, _ = corpus(wav_lab, {"s/a.wav": b"", "s/a.lab": "x"}, speaker="aino")
    assert recordings["s/a.wav"].speaker == "aino"


def test_no_speaker_is_told_once(corpus):
    recordings, problems = corpus(wav_lab, {"a.wav": b"", "a.lab": "x", "b.wav": b"", "b.lab": "y"})
    assert [p.what for p in problems] == ["2 of 2 recordings have no speaker"]
    assert {r.speaker for r in recordings.values()} == {""}


@pytest.mark.parametrize(
    ("files", "where", "what", "texts"),
    [
        ({}, "s/a.wav", "no .lab or .txt", 0),
        ({"s/a.lab": " \n"}, "s/a.lab", "no text", 0),
        ({"s/a.lab": "kuiskaus é".encode("latin-1")}, "s/a.lab", "cp1252", 1),
        ({"s/a.lab": "x" * 2001}, "s/a.lab", "2,001 characters", 1),
        ({"s/a.lab": "x", "s/z.lab": "x"}, "s/z.lab", "no audio", 1),
    ],
)
def test_problems_keep_the_recording(corpus, files, where, what, texts):
    recordings, problems = corpus(wav_lab, {"s/a.wav": b"", **files})
    assert len(recordings["s/a.wav"].texts) == texts
    assert [p.where for p in problems] == [where] and what in problems[0].what


def test_a_text_of_2000_characters_is_no_problem(corpus):
    recordings, problems = corpus(wav_lab, {"s/a.wav": b"", "s/a.lab": "x" * 2000})
    assert not problems and len(recordings["s/a.wav"].texts[0].text) == 2000


def test_hostile_names(corpus):
    names = ["with space", 'quo"te', "new\nline", "t\tab", "నమస్కారం", "dots..", "100%"]
    files = {
        f"s/{name}.{suffix}": text for name in names for suffix, text in (("wav", b""), ("lab", f"text of {name}"))
    }
    recordings, problems = corpus(wav_lab, files)
    assert not problems and len({r.id for r in recordings.values()}) == len(names)
    for name in names:
        assert recordings[f"s/{name}.wav"].texts[0].text == f"text of {' '.join(name.split())}"
