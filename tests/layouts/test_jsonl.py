import json

import pytest

from kaiku.layouts import jsonl


def test_tiny(tiny):
    recordings, problems = tiny(jsonl, language="fi")
    assert recordings == {
        "wavs/a.wav": ("wavs--a", "aino", "fi", "hyvää päivää", {"snr": "31.5"}),
        "wavs/b.wav": ("wavs--b", "otso", "fi", "kiitos", {}),
        "wavs/c.wav": ("wavs--c", "", "fi", "", {}),
    }
    assert problems == [
        ("wavs/c.wav", "has no row in any *.jsonl or *manifest*.json"),
        ("wavs/c.wav", "1 of 3 recordings have no speaker"),
    ]


def test_fields_by_settings(corpus):
    line = {"wav": "a.wav", "said": "hei\nmaailma", "who": 7, "in": "fi", "tags": ["calm", "å"], "note": None}
    fields = {"file": "wav", "text": "said", "speaker": "who", "language": "in"}
    recordings, problems = corpus(jsonl, {"a.wav": b"", "x.jsonl": json.dumps(line)}, fields=fields)
    found = recordings["a.wav"]
    assert (found.speaker, found.language, found.texts[0].text) == ("7", "fi", "hei maailma")
    assert found.extras == {"tags": '["calm", "å"]'} and not problems


def test_other_json_is_not_looked_at(corpus, folder):
    _, problems = corpus(jsonl, {"a.wav": b"", "config.json": "{"}, speaker="s")
    assert folder.opened == [] and [p.what for p in problems] == ["is not there"]
    corpus(jsonl, {}, speaker="s", tables=["*.json"])
    assert folder.opened == ["config.json"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "line 1 is no JSON object"),
        ("[1]", "line 1 is no JSON object"),
        ("{}", "line 1 is no JSON object"),
        pytest.param("[" * 200_000, "line 1 is no JSON object", id="deep"),
        ('{"audio_filepath": "a.wav"}', "line 1 has no text"),
        ('{"audio": "a.wav"}', "line 1 has no audio_filepath or text"),
        ('{"audio_filepath": "a.wav", "text": null}', "holds no text"),
        ('{"audio_filepath": "z.wav", "text": "x"}', "names z.wav, which has no audio"),
        (
            '{"audio_filepath": "a.wav", "text": "x", "offset": 2.5}',
            "line 1 is a part of a recording (offset 2.5), where a file should be a clip",
        ),
    ],
)
def test_bad_lines_are_told(corpus, line, what):
    recordings, problems = corpus(jsonl, {"a.wav": b"", "x.jsonl": line}, speaker="s")
    assert not recordings["a.wav"].texts and problems[0].what == what


def test_half_a_character_and_an_offset_of_nothing(corpus):
    line = '{"audio_filepath": "a.wav", "text": "x \\ud800 y", "offset": 0.0}'
    recordings, problems = corpus(jsonl, {"a.wav": b"", "x.jsonl": line}, speaker="s")
    assert recordings["a.wav"].texts[0].text == "x ? y" and not problems
