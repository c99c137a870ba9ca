import pytest

from kaiku.layouts import common_voice

HEADER = "client_id\tpath\tsentence\tlocale\n"
CLIPS = {f"clips/{name}.mp3": b"" for name in "abcd"}
TABLES = {
    "validated.tsv": f"{HEADER}s1\ta.mp3\tA\tfi\ns2\tb.mp3\tB\tfi\n",
    "train.tsv": f"{HEADER}s1\ta.mp3\tA\tfi\n",
    "dev.tsv": HEADER,
    "other.tsv": f"{HEADER}s3\tc.mp3\tC\tfi\n",
    "invalidated.tsv": f"{HEADER}s4\td.mp3\tD\tfi\n",
}


def test_tiny(tiny):
    recordings, problems = tiny(common_voice)
    assert recordings == {
        "clips/common_voice_fi_1.mp3": (
            *("clips--common_voice_fi_1", "ab01", "fi", "Hyvää päivää!"),
            {"up_votes": "2", "down_votes": "0", "accents": "Savo"},
        ),
        "clips/common_voice_fi_2.mp3": (
            *("clips--common_voice_fi_2", "cd02", "fi", "Kiitos."),
            {"up_votes": "3", "down_votes": "1", "split": "test"},
        ),
        "clips/common_voice_fi_3.mp3": ("clips--common_voice_fi_3", "", "und", "", {}),
    }
    assert problems == [
        ("clips/common_voice_fi_3.mp3", "has no row in any table"),
        ("clips/common_voice_fi_3.mp3", "1 of 3 recordings have no speaker"),
    ]


@pytest.mark.parametrize(
    ("tables", "taken", "left_out"),
    [
        (None, "ab", 2),
        (["validated"], "ab", 2),
        (["train"], "a", 3),
        (["other", "invalidated"], "cd", 2),
        (["validated", "other", "invalidated"], "abcd", 0),
    ],
)
def test_only_the_clips_of_the_tables_taken(corpus, tables, taken, left_out):
    settings = {"tables": tables} if tables else {}
    recordings, problems = corpus(common_voice, {**CLIPS, **TABLES}, **settings)
    assert [(path, r.texts[0].text) for path, r in recordings.items()] == [
        (f"clips/{name}.mp3", name.upper()) for name in taken
    ]
    assert {path for path, r in recordings.items() if r.extras == {"split": "train"}} == (
        {"clips/a.mp3"} if "a" in taken else set()
    )
    told = [p.what for p in problems if "not taken" in p.what]
    assert told == ([f"{left_out} clips stand only in tables that are not taken"] if left_out else [])
    assert len(problems) == len(told)


def test_a_clip_without_audio_is_told_once_though_two_tables_name_it(corpus):
    tables = dict.fromkeys(("validated.tsv", "train.tsv"), f"{HEADER}s1\tz.mp3\tZ\tfi\n")
    _, problems = corpus(common_voice, {"clips/a.mp3": b"", **tables}, speaker="s")
    assert [(p.where, p.what) for p in problems if "names" in p.what] == [
        ("validated.tsv", "names z.mp3, which has no audio")
    ]


def test_a_header_without_a_column(corpus):
    recordings, problems = corpus(
        common_voice, {"clips/a.mp3": b"", "validated.tsv": "client_id\tpath\ns1\ta.mp3\n"}, speaker="s"
    )
    assert not recordings["clips/a.mp3"].texts
    assert problems[0].what == "has the columns client_id, path, and none is called sentence"


def test_several_languages_each_with_its_own_clips(corpus):
    files = {
        "fi/clips/x.mp3": b"",
        "fi/validated.tsv": f"{HEADER}s\tx.mp3\thei\tfi\n",
        "te/clips/x.mp3": b"",
        "te/validated.tsv": f"{HEADER}s\tx.mp3\tనమస్కారం\tte\n",
    }
    recordings, problems = corpus(common_voice, files)
    assert [(r.language, r.texts[0].text) for r in recordings.values()] == [("fi", "hei"), ("te", "నమస్కారం")]
    assert not problems
