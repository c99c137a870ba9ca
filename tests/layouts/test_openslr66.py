import pytest

from kaiku.layouts import openslr66


def test_tiny(tiny):
    recordings, problems = tiny(openslr66, language="te")
    assert recordings == {
        "te_in_female/tef_00432_01.wav": ("te_in_female--tef_00432_01", "00432", "te", "నమస్కారం", {}),
        "te_in_female/tef_00432_02.wav": ("te_in_female--tef_00432_02", "00432", "te", "", {}),
        "te_in_male/tem_01210_07.wav": ("te_in_male--tem_01210_07", "01210", "te", "ధన్యవాదాలు", {}),
    }
    assert problems == [("te_in_female/tef_00432_02.wav", "has no row in any line_index*.tsv")]


@pytest.mark.parametrize("place", ["", "wavs/", "mr_in_female/", "deep/er/"])
@pytest.mark.parametrize("row", ["x_1_2\thei", "x_1_2\t\thei", "x_1_2\towner\tinternal\thei"])
def test_clips_anywhere_below_and_further_columns(corpus, place, row):
    recordings, problems = corpus(openslr66, {f"set/{place}x_1_2.wav": b"", "set/line_index.tsv": row})
    found = recordings[f"set/{place}x_1_2.wav"]
    assert (found.speaker, found.texts[0].text, problems) == ("1", "hei", [])


def test_a_table_says_nothing_of_clips_outside_its_folder(corpus):
    recordings, problems = corpus(openslr66, {"set/line_index.tsv": "x_1_2\thei", "x_1_2.wav": b""})
    assert not recordings["x_1_2.wav"].texts
    assert [p.what for p in problems] == ["names x_1_2, which has no audio", "has no row in any line_index*.tsv"]


def test_a_name_without_three_fields_tells_no_speaker(corpus):
    recordings, problems = corpus(openslr66, {"line_index.tsv": "hello\thei", "hello.wav": b""})
    assert recordings["hello.wav"].speaker == "" and [p.what for p in problems] == ["1 of 1 recordings have no speaker"]
