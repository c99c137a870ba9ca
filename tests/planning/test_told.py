"""What the key of a selection is told of manifests, and nothing where nothing is asked."""

import json
from pathlib import Path

import pytest

from kaiku import settings as configuration
from kaiku import stages
from kaiku.planning.keytext import PresentKeys, differences, told
from kaiku.planning.verdicts import in_words
from kaiku.selection import Bounds
from kaiku.store import manifests
from kaiku.store.manifests import AudioRow

SPEAKERS = {"000": ["kai", "aino"], "001": ["aino", "kai\tmetso"], "002": ["kaisa"]}


def configured(subset=None, withdrawn=()):
    corpus = {"layout": "recordings", "licence": "CC0-1.0"}
    config = {
        "system": "small",
        "corpora": {"voices": {**corpus, "consent": {"withdrawn": withdrawn}}, "others": corpus},
        "datasets": {"all": {"corpora": ["voices", "others"], "subset": subset}},
    }
    return configuration.load(config)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """A corpus in three shards, whose paths hold names too, and one that was never scanned."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/manifests/voices")
    folder.mkdir(parents=True)
    (folder / "corpus.json").write_text(json.dumps({"format": 1, "shards": 4}))
    for shard, names in SPEAKERS.items():
        rows = [AudioRow(f"{shard}-{n}", "kaisa", "d", 1, name, "fi", {}) for n, name in enumerate(names)]
        manifests.write_audio(manifests.audio_path(folder, shard), rows)


def asked(settings, shard):
    return told(settings, "all", "voices", shard, lambda corpus: {"voices": 3, "others": 2}[corpus])


def test_only_speakers_of_the_shard_who_withdrew():
    settings = configured(withdrawn=["kai", "kai\tmetso", "kaisa", "nobody"])
    assert [asked(settings, shard) for shard in SPEAKERS] == [(None, "kai"), (None, "kai\tmetso"), (None, "kaisa")]
    assert asked(configured(), "000") == (None,) and asked(settings, "003") == (None,)


def test_shards_of_the_dataset_only_for_a_subset_by_hours():
    assert asked(configured(subset={"hours": 1}), "000") == (5,)
    assert asked(configured(subset={"share": 0.5}), "000") == (None,)


def test_the_present_key_is_what_the_rule_would_say():
    settings = configured(subset={"hours": 1}, withdrawn=["kai"])
    names = {"dataset": "all", "corpus": "voices", "shard": "000"}
    keys = PresentKeys(settings)
    wanted = stages.select(settings, "all", "voices", 3, "kai").text()  # the other corpus was never scanned
    assert keys.of("select_segments", names) == f"{wanted} recordings=5"
    assert keys.of("select_segments", {**names, "shard": "001"}) != keys.of("select_segments", names)
    before = PresentKeys(configured()).of("select_segments", names)
    assert differences(before, keys.of("select_segments", names), names) == [
        "dataset all: shards added: 3",
        "dataset all: subset none -> {by: recording, hours: 1, of: train, salt: }",
        "dataset all: withdrawn [] -> [kai]",
    ]


def test_another_corpus_or_a_report_is_in_no_key_of_a_selection():
    one = configured()
    changed = one.datasets["all"].model_copy(update={"report": True, "corpora": ("voices",)})
    other = one.model_copy(update={"datasets": {"all": changed}})
    assert stages.select(one, "all", "voices").text() == stages.select(other, "all", "voices").text()
    stricter = changed.model_copy(update={"require_text": False})
    other = one.model_copy(update={"datasets": {"all": stricter}})
    assert stages.select(one, "all", "voices").text() != stages.select(other, "all", "voices").text()


@pytest.mark.parametrize(
    ("reason", "language", "words"),
    [
        ("consent_withdrawn", "fi", "its speaker took the consent back"),
        ("subset", "fi", "it is not in the part of the dataset that is taken"),
        ("rate_low", "te", "rate 2 is below 3"),
        ("rate_low", "fi", "rate was too low for the bound it was decided by, which is another one now"),
    ],
)
def test_reasons_in_words_with_the_bound_of_the_language(reason, language, words):
    assert in_words(reason, {"rate": 2.0}, {"rate": Bounds(min=1, languages={"te": (3, None)})}, language) == words
