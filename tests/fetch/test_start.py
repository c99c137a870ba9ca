"""What a start of the workflow says of what is not here: before the first job, not after hours of others."""

from pathlib import Path

import pytest

from kaiku.collect import table
from kaiku.workspace.start import start

NC = "CC-BY-NC-4.0"


def system(corpora=None, bases=None):
    datasets = {"d": {"corpora": list(corpora), "split": {"val": 0}}} if corpora else {}
    return {"system": "test", "corpora": corpora or {}, "datasets": datasets, "bases": bases or {}}


def said(config, capsys):
    start(config, main_process=True)
    return capsys.readouterr().err


def test_what_would_be_refused_is_told(capsys):
    far = {"layout": "tsv", "source": {"url": "https://example.org/x.tar"}}
    corpora = {"free": {**far, "licence": "MIT"}, "asking": {**far, "licence": NC}}
    bases = {"gated": {"licence": "MIT", "source": {"hub": "o/m", "gated": True}}, "xtts": {"catalog": "xtts-v2"}}
    told = [line for line in said(system(corpora, bases), capsys).splitlines() if "Will not be fetched" in line]
    assert [line.split()[4] for line in told] == ["corpora.asking", "bases.gated:", "bases.xtts"]
    corpora["asking"]["accept_licence"] = NC
    assert "corpora.asking is under" not in said(system(corpora, bases), capsys)


def test_a_base_that_is_here_is_not_asked_about(capsys):
    Path("models/base/xtts").mkdir(parents=True)
    Path("models/base/xtts/fetched.json").write_text("{}")
    assert "Will not be fetched" not in said(system(bases={"xtts": {"catalog": "xtts-v2"}}), capsys)


def test_what_has_to_be_brought_by_hand_says_how():
    with pytest.raises(SystemExit) as ended:
        start(system({"cv": {"catalog": "common-voice", "language": "te"}}), main_process=True)
    assert "corpora.cv: data/raw/cv is not there, and Common Voice cannot be fetched" in str(ended.value)
    assert "Make an account at the Mozilla Data Collective" in str(ended.value)


def test_a_list_that_grew_is_told(capsys):
    recordings = Path("data/raw/x/one")
    recordings.mkdir(parents=True)
    (recordings / "one.wav").write_bytes(b"RIFF")
    own = {"sources": "sources.yaml"}
    config = system({"x": {"layout": "recordings", "licence": "own", "collect": own}})
    assert "make collect" not in said(config, capsys)  # no list, no word; collecting says what is wrong with it
    Path("sources.yaml").write_text("[https://x.org/1, https://x.org/2]")
    assert "x: 2 of sources.yaml not here yet: `make collect CORPUS=x`" in said(config, capsys)
    rows = [table.Row("https://x.org/1", "https://x.org/1", "one"), table.Row("https://x.org/2", "", "", "refused")]
    table.write_table(Path("data/manifests/x") / table.TABLE, rows)
    assert "x: 1 of sources.yaml not here yet" in said(config, capsys)


def test_a_table_that_git_could_not_merge_is_told_and_stops_nothing(capsys):
    Path("data/raw/x/one").mkdir(parents=True)
    Path("data/raw/x/one/one.wav").write_bytes(b"RIFF")
    Path("sources.yaml").write_text("[https://x.org/1]")
    path = Path("data/manifests/x") / table.TABLE
    table.write_table(path, [table.Row("https://x.org/1", "https://x.org/1", "one")])
    path.write_text(path.read_text() + "<<<<<<< HEAD\n")
    own = {"sources": "sources.yaml"}
    told = said(system({"x": {"layout": "recordings", "licence": "own", "collect": own}}), capsys)
    assert "data/manifests/x/collected.tsv, line 3: 1 fields. Expected: 8. `make collect` writes it anew" in told
