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
        f"telugu/valid/{third}.m4a": (f"telugu--valid--{third}", "973", "und", "", {}),
    }
    assert problems == [(f"telugu/valid/{third}.m4a", "has no row in any transcription_n2w.txt")]


def test_the_language_of_the_corpus_wins(tiny):
    recordings, _ = tiny(kathbath, language="te-IN")
    assert {language for _, _, language, _, _ in recordings.values()} == {"te-IN"}


def test_audio_in_a_folder_of_its_own_and_converted(corpus):
    files = {"hindi/train/audio/1-2-f.wav": b"", "hindi/train/transcription_n2w.txt": "1-2-f.m4a नमस्ते दुनिया\n"}
    recordings, problems = corpus(kathbath, files)
    assert recordings["hindi/train/audio/1-2-f.wav"].texts[0].text == "नमस्ते दुनिया" and not problems


def test_the_table_beside_the_audio_at_the_root(corpus):
    recordings, problems = corpus(kathbath, {"1-2-f.m4a": b"", "transcription_n2w.txt": "1-2-f.m4a\tx\n"})
    found = recordings["1-2-f.m4a"]
    assert (found.language, found.extras, problems) == ("und", {"gender": "f"}, [])
