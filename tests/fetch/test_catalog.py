"""Every entry of the catalogue is one that a configuration can use, and says what it is sure of."""

import json
import re

import pytest
import yaml

from kaiku import plugins
from kaiku import settings as configuration
from kaiku.errors import SettingsError
from kaiku.fetch import catalog, catalog_page, consent
from workflow_scripts import list_catalog

CORPORA = {named.name: named for named in catalog.names("corpora")}
BASES = {named.name: named for named in catalog.names("bases")}


def load(corpora=None, bases=None):
    return configuration.load({"system": "test", "corpora": corpora or {}, "bases": bases or {}})


@pytest.mark.parametrize("name", CORPORA)
def test_a_configuration_takes_a_corpus_of_the_catalogue(name):
    entry = CORPORA[name].entry
    own = load({"x": {"catalog": name}}).corpora["x"]
    assert own.layout in plugins.known("layouts", ("kaiku",))
    assert (own.licence, own.language) == (entry.licence, CORPORA[name].language)
    assert (own.source is None) == bool(entry.by_hand)


@pytest.mark.parametrize("name", BASES)
def test_a_configuration_takes_a_base_of_the_catalogue(name):
    own = load(bases={"x": {"catalog": name}}).bases["x"]
    assert own.licence == BASES[name].entry.licence
    assert own.source.hub and own.source.revision


@pytest.mark.parametrize("named", [*CORPORA.values(), *BASES.values()], ids=[*CORPORA, *BASES])
def test_addresses_are_of_the_secure_web_and_whole(named):
    source = named.entry.source_of(named.part)
    urls = [url for a in source.archives for url in (a.url, *a.mirrors)] if source else []
    for url in [named.entry.page, *urls]:
        assert re.fullmatch(r"https://[\w.-]+\.[a-z]{2,}(/[\w./%~-]*)?", url)


def test_no_digest_stands_twice():
    sources = [named.entry.source_of(named.part) for named in CORPORA.values()]
    found = [a.sha256 or a.md5 for source in sources if source for a in source.archives if a.sha256 or a.md5]
    assert len(found) >= 29
    assert len(set(found)) == len(found)


def test_what_asks_for_something_is_not_fetched_without_consent():
    silent = {name for name, n in {**CORPORA, **BASES}.items() if not consent.conditions(n.entry.licence)}
    assert {"ljspeech", "vctk", "mls/portuguese", "cml-tts/portuguese", "csm-1b", "faster-whisper/small"} <= silent
    asking = {*CORPORA, *BASES} - silent
    assert {"emilia", "openslr66", "kathbath/valid", "openaudio-s1-mini", "xtts-v2", "mms-1b-all"} <= asking


def test_what_the_configuration_says_itself_stays():
    own = load({"x": {"catalog": "ljspeech", "language": "en-GB", "path": "/data/lj", "source": {"hours": 3}}})
    own = own.corpora["x"]
    assert (own.language, own.path, own.layout) == ("en-GB", "/data/lj", "ljspeech")
    assert own.source.hours == 3 and own.source.url.endswith("LJSpeech-1.1.tar.bz2") and own.source.sha256
    mine = {"catalog": "ljspeech", "source": {"url": "https://example.org/mine.tar"}}
    assert load({"x": mine}).corpora["x"].source.sha256 is None
    base = load(bases={"x": {"catalog": "openaudio-s1-mini", "source": {"revision": "a" * 40}}}).bases["x"].source
    assert (base.hub, base.revision, base.gated) == ("fishaudio/openaudio-s1-mini", "a" * 40, True)
    assert load(bases={"x": {"catalog": "mimi", "path": "/models/mimi"}}).bases["x"].source is None


def test_the_resolved_configuration_needs_no_catalogue(monkeypatch):
    corpora = {"x": {"catalog": "mls/polish", "source": {"hours": 1}}, "y": {"catalog": "common-voice", "path": "/d"}}
    first = load(corpora, {"m": {"catalog": "mimi"}})
    said = json.loads(json.dumps(first.model_dump(mode="json")))
    assert configuration.load(said) == first


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ljspech", "corpora.x.catalog: 'ljspech' is not in the catalogue; did you mean 'ljspeech'?"),
        ("mls", "corpora.x.catalog: mls has parts; name one. Expected: one of mls/dutch, "),
        ("mls/portugese", "'mls/portugese' is no part of mls; did you mean 'portuguese'?"),
        ("ljspeech/train", "'ljspeech/train' is no part of ljspeech"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_nearest(name, said):
    with pytest.raises(SettingsError) as caught:
        load({"x": {"catalog": name}})
    assert said in str(caught.value)


def test_an_entry_that_is_not_well_formed_is_refused(tmp_path):
    good = {"title": "X", "page": "https://x.org/", "licence": "CC0-1.0", "commercial": "yes", "checked": "seen"}
    good |= {"languages": ["fi"], "layout": "tsv", "by_hand": "ask"}
    bad = [
        {"commercial": "no"},
        {"licence": "CC-BY-SA-4.0"},
        {"page": "http://x.org/"},
        {"by_hand": ""},
        {"source": {"url": "ftp://x.org/x"}, "by_hand": ""},
        {"checked": "surely"},
        {"hous": 3},
    ]
    (tmp_path / "corpora.yaml").write_text(yaml.safe_dump({"good": good}))
    assert catalog.entries("corpora", tmp_path)["good"].languages == ["fi"]
    for number, change in enumerate(bad):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "corpora.yaml").write_text(yaml.safe_dump({"bad": {**good, **change}}))
        with pytest.raises(SettingsError, match="bad"):
            catalog.entries("corpora", folder)


def test_the_page_and_the_list_have_them_all():
    page = catalog_page.page()
    for section in catalog.SECTIONS:
        for name, entry in catalog.entries(section).items():
            assert f"### {name}\n" in page and entry.page in page and entry.doubts in page
    assert {line[0] for line in catalog_page.lines()} == {*CORPORA, *BASES}
    assert {line[0] for line in catalog_page.lines(["telugu"])} == {"indictts-te", "openslr66"}
    assert {line[0] for line in catalog_page.lines(["PT"])} >= {"mls/portuguese", "cml-tts/portuguese", "fleurs/pt_br"}


def test_listing_is_a_program(capsys):
    assert list_catalog.main(["xtts"]) == 0
    assert "Coqui Public Model License 1.0.0  no          seen" in capsys.readouterr().out
    assert list_catalog.main(["no such thing"]) == 1
