from kaiku.layouts import cml_tts


def test_tiny(tiny):
    recordings, problems = tiny(cml_tts, language="pt")
    assert recordings == {
        "dev/audio/11/7/c.wav": (
            *("dev--audio--11--7--c", "11", "pt", "Um dia."),
            {"transcript_wav2vec": "um dia", "levenshtein": "1.0", "split": "dev"},
        ),
        "train/audio/10/20/a.wav": (
            *("train--audio--10--20--a", "10", "pt", "Era uma vez."),
            {"transcript_wav2vec": "era uma ves", "levenshtein": "0.91", "split": "train"},
        ),
        "train/audio/10/20/b.wav": ("train--audio--10--20--b", "", "pt", "", {}),
    }
    assert problems == [
        ("train/audio/10/20/b.wav", "has no row in any train.csv or dev.csv or test.csv"),
        ("train/audio/10/20/b.wav", "1 of 3 recordings have no speaker"),
    ]


def test_fields_beside_the_header(corpus):
    table = 'wav_filename|transcript|client_id\na.wav|disse "não"|7\nb.wav|um | dois|7\n'
    recordings, problems = corpus(cml_tts, {"a.wav": b"", "b.wav": b"", "train.csv": table}, speaker="s")
    assert recordings["a.wav"].texts[0].text == 'disse "não"' and recordings["a.wav"].speaker == "7"
    assert problems[0].what == "line 3 has 4 fields under 3 columns" and not recordings["b.wav"].texts
