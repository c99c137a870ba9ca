import pytest

from kaiku.layouts import kathbath


def test_tiny(tiny):
    recordings, problems = tiny(kathbath)
    first, second, third = ["844424930000001-594-f", "844424930000002-973-m", "844424930000003-973-m"]
    assert recordings == {
        f"telugu/valid/{first}.m4a": (
            *(f"telugu--valid--{first}", "594", "te", "నమస్కారం"),
            {"split": "valid", "gender": "f"},
        ),
        f"telugu/valid/{second}.m4a": (
            *(f"telugu--valid--{second}", "973", "te", "ఎలా ఉన్నారు"),
            {"split": "valid", "gender": "m"},
        ),
        f"telugu/valid/{third}.m4a": (f"telugu--valid--{third}", "973", "te", "", {}),
    }
    assert problems == [(f"telugu/valid/{third}.m4a", "has no row in any transcription_n2w.txt")]


@pytest.mark.parametrize(("corpus", "found"), [("te-IN", "te-IN"), ("hi", "te")])
def test_the_language_of_the_folder_wins_over_another_of_the_corpus(tiny, corpus, found):
    recordings, _ = tiny(kathbath, language=corpus)
    assert [language for _, _, language, _, _ in recordings.values()] == [found] * 3


def test_clips_without_a_folder_of_a_language_are_of_the_corpus_language(corpus):
    recordings, _ = corpus(kathbath, {"valid/1-2-f.m4a": b"", "hindi/valid/1-2-f.m4a": b""}, language="ur")
    assert {path: found.language for path, found in recordings.items()} == {
        "valid/1-2-f.m4a": "ur",
        "hindi/valid/1-2-f.m4a": "hi",
    }


def test_audio_in_a_folder_of_its_own_and_converted(corpus):
    files = {"hindi/train/audio/1-2-f.wav": b"", "hindi/train/transcription_n2w.txt": "1-2-f.m4a नमस्ते दुनिया\n"}
    recordings, problems = corpus(kathbath, files)
    assert recordings["hindi/train/audio/1-2-f.wav"].texts[0].text == "नमस्ते दुनिया" and not problems


def test_the_table_beside_the_audio_at_the_root(corpus):
    recordings, problems = corpus(kathbath, {"1-2-f.m4a": b"", "transcription_n2w.txt": "1-2-f.m4a\tx\n"})
    found = recordings["1-2-f.m4a"]
    assert (found.language, found.extras, problems) == ("und", {"gender": "f"}, [])


def test_a_name_of_another_form_tells_neither_speaker_nor_gender(corpus):
    files = {"telugu/valid/clip7.m4a": b"", "telugu/valid/transcription_n2w.txt": "clip7.m4a\tx\n"}
    recordings, _ = corpus(kathbath, files)
    found = recordings["telugu/valid/clip7.m4a"]
    assert (found.speaker, found.extras) == ("", {"split": "valid"})
