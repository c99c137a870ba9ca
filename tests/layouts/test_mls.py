from kaiku.layouts import mls


def test_tiny(tiny):
    recordings, problems = tiny(mls, language="pt")
    assert recordings == {
        "dev/audio/11/7/11_7_000000.opus": (
            *("dev--audio--11--7--11_7_000000", "11", "pt", "um dia"),
            {"split": "dev"},
        ),
        "train/audio/10/20/10_20_000000.opus": (
            *("train--audio--10--20--10_20_000000", "10", "pt", "era uma vez"),
            {"split": "train"},
        ),
        "train/audio/10/20/10_20_000001.opus": ("train--audio--10--20--10_20_000001", "10", "pt", "", {}),
    }
    assert problems == [("train/audio/10/20/10_20_000001.opus", "has no row in any transcripts.txt")]


def test_bad_rows(corpus):
    table = "1_2_3\tum\n\tdois\n1_2_3\ttres\n1_2_4\tquatro\textra\n../1_2_3\tx\n"
    recordings, problems = corpus(mls, {"audio/1/2/1_2_3.flac": b"", "transcripts.txt": table})
    found = recordings["audio/1/2/1_2_3.flac"]
    assert (found.speaker, found.texts[0].text, found.extras) == ("1", "um", {})
    assert [p.what for p in problems] == [
        "line 2 is not id, tab, text",
        "names 1_2_3 more than once",
        "line 4 is not id, tab, text",
        "names ../1_2_3, which has no audio",
    ]
