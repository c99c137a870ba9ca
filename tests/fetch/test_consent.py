"""What asks something of the user is accepted in the configuration, or nothing of it comes: not one request is sent."""

import json
from pathlib import Path

import pytest
from loopback import nothing_at, tar_of

from kaiku import settings as configuration
from kaiku.errors import KaikuError, SettingsError
from kaiku.fetch import Source, consent
from workflow_scripts import fetch_corpus, fetch_model

FREE = ["own", "CC0-1.0", "public domain", "CC-BY-4.0", "MIT", "Apache-2.0"]
ASKING = {
    "CC-BY-NC-4.0": "no commercial use",
    "CC-BY-SA-4.0": "under the same licence",
    "CC-BY-ND-4.0": "nothing made from it may be passed on",
    "Coqui Public Model License 1.0.0": "no commercial use",
    "Some Institute's licence": "it has to be read",
}


@pytest.mark.parametrize("licence", FREE)
def test_what_asks_for_nothing_passes(licence):
    assert consent.refusal("corpora.x", licence, None, None) is None


@pytest.mark.parametrize("licence", ASKING)
def test_what_asks_is_refused_with_what_it_forbids_and_the_line_to_write(licence):
    error = consent.refusal("corpora.x", licence, None, None)
    assert ASKING[licence] in str(error)
    assert f'write `accept_licence: "{licence}"`' in str(error)
    assert consent.refusal("corpora.x", licence, licence, None) is None
    assert consent.refusal("corpora.x", licence, "another", None)


def test_what_has_no_licence_cannot_be_accepted():
    assert "corpora.x has no licence" in str(consent.refusal("corpora.x", " ", " ", None))


def test_terms_of_a_place_ask_too():
    source = Source(url="https://x.org/x.tar", asks="It may not be hosted elsewhere.")
    assert "may not be hosted elsewhere" in str(consent.refusal("corpora.x", "CC0-1.0", None, source))
    assert consent.refusal("corpora.x", "CC0-1.0", "CC0-1.0", source) is None


def test_another_licence_than_the_one_that_holds_cannot_be_accepted():
    corpus = {"layout": "tsv", "licence": "CC-BY-NC-4.0", "accept_licence": "CC-BY-4.0"}
    with pytest.raises(SettingsError, match=r"accept_licence is 'CC-BY-4\.0', and the licence is 'CC-BY-NC-4\.0'"):
        configuration.load({"system": "x", "corpora": {"x": corpus}})
    base = {"catalog": "xtts-v2", "accept_licence": "MIT"}
    with pytest.raises(SettingsError, match="Coqui Public Model License"):
        configuration.load({"system": "x", "bases": {"x": base}})


def test_a_gated_repository_wants_its_token_before_anything_is_asked():
    source = Source(hub="owner/model", gated=True)
    with pytest.raises(KaikuError, match="owner/model is gated, and HF_TOKEN is not set"):
        consent.require("bases.m", "MIT", None, source)


def test_with_a_token_it_passes(monkeypatch):
    Path(".env").write_text("HF_TOKEN=hf_w\n")
    consent.require("bases.m", "MIT", None, Source(hub="owner/model", gated=True))
    Path(".env").unlink()
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    consent.require("bases.m", "MIT", None, Source(hub="owner/model", gated=True))


def written(**parts):
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps({"system": "test", **parts}))


def test_the_programs_send_nothing_before_consent(server, capsys):
    server.files |= {"/c": tar_of({"SPK/a.wav": b"RIFF"}), "/m": tar_of({"config.json": b"{}"})}
    corpus = {"layout": "wav_lab", "licence": "CC-BY-NC-4.0", "source": {"url": f"{server.url}/c"}}
    base = {"licence": "CC-BY-SA-4.0", "source": {"url": f"{server.url}/m"}}
    calls = [
        (fetch_corpus, ["--corpus", "x"]),
        (fetch_model, ["--base", "m", "--record", "models/base/m/fetched.json"]),
    ]
    written(corpora={"x": corpus}, bases={"m": base})
    for program, call in calls:
        assert program.main(call) == 1
    said = capsys.readouterr().err
    assert "corpora.x is under CC-BY-NC-4.0, whose terms are not accepted" in said
    assert "bases.m is under CC-BY-SA-4.0, whose terms are not accepted" in said
    assert server.requests == [] and nothing_at() and not Path("models").exists()

    corpus["accept_licence"], base["accept_licence"] = corpus["licence"], base["licence"]
    written(corpora={"x": corpus}, bases={"m": base})
    for program, call in calls:
        assert program.main(call) == 0
    assert json.loads(Path("data/manifests/x/fetched.json").read_text())["licence"] == "CC-BY-NC-4.0"
