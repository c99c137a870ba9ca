"""Derived corpora that mean nothing are refused, each in one plain sentence."""

import copy
import json

import pytest

from kaiku import settings as configuration
from kaiku import stages
from kaiku.errors import SettingsError

SYSTEM = {
    "system": "derived",
    "corpora": {
        "aino": {"layout": "wav_lab", "language": "fi", "speaker": "aino", "licence": "CC-BY-NC-4.0"},
        "aino-slow": {"derived": {"of": "aino", "speed": 0.9}},
    },
    "datasets": {"all": {"corpora": ["aino", "aino-slow"]}},
}


def load(change=lambda config: None):
    config = copy.deepcopy(SYSTEM)
    change(config)
    return configuration.load(config)


def test_language_and_licence_are_those_of_the_source():
    settings = load()
    assert settings.corpora["aino-slow"].licence == "CC-BY-NC-4.0"
    assert settings.corpora["aino-slow"].language == "fi"
    assert settings.corpus_root("aino-slow") == settings.corpus_root("aino")
    assert settings.derived_corpora() == ["aino-slow"] and settings.origin("aino-slow") == "aino"


def test_the_resolved_configuration_reads_back():
    settings = load()
    assert configuration.load(json.loads(json.dumps(settings.model_dump(mode="json")))) == settings


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda c: c["datasets"]["all"].update(corpora=["aino-slow"]), "is derived from aino, which is not among them"),
        (lambda c: c["corpora"]["aino-slow"]["derived"].update(of="anio"), "did you mean 'aino'"),
        (lambda c: c["corpora"]["aino-slow"].update(layout="wav_lab"), "layout: a derived corpus has no recordings"),
        (lambda c: c["corpora"]["aino-slow"].update(segment={"mode": "vad"}), "segment: a derived corpus has no"),
        (lambda c: c["corpora"]["aino-slow"].update(consent={"withdrawn": ["aino"]}), "takes it back in aino"),
        (lambda c: c["corpora"]["aino-slow"].update(licence="own"), "licence: a derived corpus has that of aino"),
        (lambda c: c["corpora"]["aino-slow"]["derived"].update(speed=1.0), "nothing is changed"),
        (lambda c: c["corpora"]["aino-slow"]["derived"].update(sped=0.9), "speed"),
        (lambda c: c["corpora"].update(twice={"derived": {"of": "aino-slow", "tempo": 2}}), "is derived itself"),
        (lambda c: c["corpora"]["aino"].pop("layout"), "layout is missing"),
    ],
)
def test_what_means_nothing_is_refused(change, told):
    with pytest.raises(SettingsError) as refused:
        load(change)
    assert told in str(refused.value)


def test_the_key_holds_what_is_heard_and_not_where_noise_lies():
    def key(noise):
        def change(config):
            config["corpora"]["aino-slow"]["derived"] = {"of": "aino", "noise": noise}

        return stages.augment(load(change), "aino-slow").text()

    assert key({"snr_db": 10, "folder": "a"}) == key({"snr_db": 10, "folder": "b"})
    assert key({"snr_db": 10, "folder": "a"}) != key({"snr_db": 11, "folder": "a"})
    assert key({"snr_db": 10}) != key({"snr_db": 10, "folder": "a"})


def test_a_dataset_without_derived_corpora_is_keyed_as_before():
    plain = load(lambda c: (c["corpora"].pop("aino-slow"), c["datasets"]["all"].update(corpora=["aino"])))
    assert stages.select(plain, "all", "aino").modules == ("kaiku.selection", "kaiku.review.decisions")
    assert "kaiku.augmentation.follow" in stages.select(load(), "all", "aino-slow").modules
