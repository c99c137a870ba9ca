"""What is told before anything is spent: splits that will hold nothing out, consents of nobody."""

import json
from pathlib import Path

import pytest

from kaiku import settings as configuration
from kaiku.planning.foresight import warnings
from kaiku.selection.splits import place_of
from kaiku.store import manifests, scan
from kaiku.store.manifests import AudioRow

NAMES = [f"r{n}" for n in range(20)]


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function: what is said of a corpus of 20 recordings of 4 speakers under a split."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/manifests/voices")
    folder.mkdir(parents=True)
    (folder / "corpus.json").write_text(json.dumps({"format": 1, "shards": 1}))

    def say(split, trained=True, names=NAMES, text="normalised", derived=(), **corpus):
        derived = {name: {"derived": {"of": "voices", "speed": 0.9}} for name in derived}
        rows = [AudioRow(name, f"{name}.wav", "d", 1, f"s{n % 4}", "fi", {}) for n, name in enumerate(names)]
        manifests.write_audio(manifests.audio_path(folder, "000"), rows)
        config = {
            "system": "small",
            "corpora": {"voices": {"layout": "recordings", "licence": "CC0-1.0", **corpus}, **derived},
            "datasets": {"all": {"corpora": ["voices", *derived], "split": split, "text": text}},
            "codecs": {"toy": {"kind": "env", "dataset": "all"}},
            "runs": {"run": {"family": "fish", "dataset": "all", "codec": "toy"}} if trained else {},
        }
        return warnings(configuration.load(config), {"voices": scan.read(folder)})

    return say


def highest(units, salt=""):
    return max(place_of(f"{salt}\0{unit}") for unit in units)


def test_a_share_that_draws_nobody_is_told_with_one_that_does(told):
    low, enough = 1 - highest(NAMES) - 1e-6, 1 - highest(NAMES) + 1e-6
    (line,) = told({"val": low})
    assert line.startswith("dataset all: split.val") and "none of its 20 recordings" in line
    advised = float(line.split("Write split.val: ")[1].split(",")[0])
    assert told({"val": enough}) == told({"val": advised}) == []
    assert told({"val": low}, derived=["slow", "slower"]) == [line], "derived clips are of the same recordings"


def test_by_speaker_they_are_few(told):
    speakers = [f"s{n}" for n in range(4)]
    (line,) = told({"by": "speaker", "val": 1 - highest(speakers) - 1e-6})
    assert "none of its 4 speakers" in line
    assert told({"by": "speaker", "val": 1 - highest(speakers) + 1e-6}) == []


def test_patterns_that_name_nothing(told):
    (line,) = told({"val": ["heldout-*"]})
    assert "[heldout-*] names none of its 20 recordings" in line and told({"val": ["r1*"]}) == []


@pytest.mark.parametrize("split", [{"val": 0}, {"by": "clip", "val": 1e-6}])
def test_what_cannot_be_foreseen_or_was_not_asked_is_not_told(told, split):
    assert told(split) == []


def test_few_recordings_are_divided_and_untrained_datasets_need_nothing(told):
    assert told({"val": 1e-6}, names=NAMES[:5]) == [] and told({"val": 1e-6}, trained=False) == []


@pytest.mark.parametrize("language", ["und", "fi", "pt-BR", "EN"])
def test_numbers_that_are_read_or_of_no_known_language_are_not_told(told, language):
    assert told({"val": ["r1"]}, language=language) == []


def test_numbers_without_rules_are_told_where_texts_are_normalised(told):
    (line,) = told({"val": ["r1"]}, language="sv-FI")
    assert line == "voices: no rules for the numbers of language sv-FI; they stay as they are written"
    assert told({"val": ["r1"]}, text="raw", language="sv-FI") == []


def test_consent_of_nobody(told):
    split = {"val": ["r1"]}
    assert told(split, consent={"withdrawn": ["s1"]}) == []
    (line,) = told(split, consent={"withdrawn": ["s1", "s11"]})
    assert line == "voices: consent withdrawn by s11, of whom there is no recording (any more)"
