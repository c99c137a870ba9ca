"""What heard a speaker: by what datasets, packs, codecs and models say themselves."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaiku import settings as configuration
from kaiku.errors import KaikuError
from kaiku.planning.heard_speaker import heard, page
from kaiku.store import manifests, tables
from kaiku.store.artefacts import SELECTION
from kaiku.store.manifests import AudioRow
from kaiku.store.protos import Sentence, group_by_speaker, write_protos
from workflow_scripts import find_heard, train_codec

CORPUS = {"layout": "recordings", "language": "fi", "licence": "CC0-1.0"}
RUN = {"family": "fish", "dataset": "both", "codec": "toy"}
CONFIG = {
    "system": "small",
    "corpora": {"choir": CORPUS, "solo": CORPUS},
    "datasets": {"both": {"corpora": ["choir", "solo"]}, "quiet": {"corpora": ["solo"]}},
    "codecs": {"toy": {"kind": "env", "dataset": "both"}},
    "runs": {
        "base": RUN,
        "child": {**RUN, "base": "base"},
        "other": RUN,
        "old": RUN,
        "held": RUN,
        "never": RUN,
    },
}


def write(path, value):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Two corpora that hold a kai each; trainings that heard kai, heard them through another, or did not."""
    monkeypatch.chdir(tmp_path)
    for corpus, speakers in (("choir", {"000": ["kai", "kai", "aino"], "001": ["aino"]}), ("solo", {"000": ["kai"]})):
        folder = Path("data/manifests") / corpus
        write(folder / "corpus.json", {"format": 1, "shards": len(speakers)})
        for shard, names in speakers.items():
            rows = [AudioRow(f"{shard}-{n}", "a\tb.wav", "d", 1, name, "fi", {}) for n, name in enumerate(names)]
            manifests.write_audio(manifests.audio_path(folder, shard), rows)
            frame = pd.DataFrame({"speaker": names}).reindex(columns=SELECTION.names)
            frame = frame.assign(reason=["hum_db_high"] * (len(names) - 1) + [""], split="train", kept=True)
            tables.write_selection(Path(f"data/selection/both/{corpus}/{shard}.parquet"), frame)
    codes = np.zeros((3, 2), "<u2")
    pack = Path("data/protos/both/toy/train/choir-000.protos")
    pack.parent.mkdir(parents=True)
    write_protos(pack, group_by_speaker("choir", [Sentence(name, "sana", codes) for name in ("kai", "aino", "kai")]))
    records = {
        "base": {"speakers": {"train": {"kai": 2, "aino": 1}, "val": {}}},
        "child": {"speakers": {"train": {"aino": 1}, "val": {}}},
        "other": {"speakers": {"train": {"aino": 1}, "val": {}}},
        "held": {"speakers": {"train": {"aino": 1}, "val": {"kai": 1}}},
        "old": {"key": "of an earlier release"},
    }
    for run, record in records.items():
        write(f"models/{run}/checkpoints/run.json", record)
    write("models/codecs/toy/metrics.json", {"speakers": {"kai": 1}})
    for path in ("dist/base.tar.gz", "dist/other.tar.gz", "results/child/report.html"):
        write(path, "-")
    return configuration.load(CONFIG)


def test_everything_that_heard_a_speaker(workspace):
    found = heard(workspace, "kai")
    assert found["corpora"] == [
        {"corpus": "choir", "recordings": 2, "shards": ["000"], "withdrawn": False},
        {"corpus": "solo", "recordings": 1, "shards": ["000"], "withdrawn": False},
    ]
    assert [(row["corpus"], row["fates"]) for row in found["datasets"]] == [
        ("choir", {"hum_db_high": 2}),
        ("solo", {"kept: train": 1}),
    ]
    assert [(row["path"], row["sentences"]) for row in found["packs"]] == [
        ("data/protos/both/toy/train/choir-000.protos", 2)
    ]
    assert [(row["codec"], row["heard"]) for row in found["codecs"]] == [("toy", True)]
    assert {row["run"]: row["heard"] for row in found["models"]} == {
        "base": True,
        "child": True,
        "held": True,
        "old": None,
    }
    how = {row["run"]: row["how"] for row in found["models"]}
    assert how["child"] == "through base, which it was made from" and "2 of their clips" in how["base"]
    assert found["take_back"] == ["dist/base.tar.gz", "results/child/report.html"]


def test_what_the_configuration_no_longer_names_heard_them_too(workspace):
    write("models/gone/checkpoints/run.json", {"speakers": {"train": {"kai": 5}}})
    write("models/heir/checkpoints/run.json", {"speakers": {"train": {"aino": 1}}})
    write("models/heir/merged/metadata.json", {"lineage": ["heir", "gone"]})
    write("models/codecs/gone/metrics.json", {"speakers": {"kai": 2}})
    write("dist/gone.tar.gz", "-")
    write("dist/exports/gone/README.md", "-")
    found = heard(workspace, "kai")
    how = {row["run"]: row["how"] for row in found["models"]}
    assert how["gone"] == "trained on 5 of their clips" and how["heir"] == "through gone, which it was made from"
    assert {row["codec"]: row["heard"] for row in found["codecs"]} == {"gone": True, "toy": True}
    assert {"dist/gone.tar.gz", "dist/exports/gone"} <= set(found["take_back"])


@pytest.mark.parametrize(("dataset", "is_named"), [("both", True), ("quiet", False)])
def test_an_export_of_a_dataset_that_keeps_them_is_to_be_taken_back(workspace, dataset, is_named):
    write("dist/exports/lj/metadata.csv", "-")
    config = configuration.load({**CONFIG, "exports": {"lj": {"dataset": dataset, "format": "ljspeech"}}})
    assert ("dist/exports/lj" in heard(config, "kai")["take_back"]) == is_named


def test_what_failed_jobs_left_empty_says_nothing(workspace):
    for path in ("data/selection/both/choir/000.parquet", "data/protos/both/toy/train/choir-000.protos"):
        write(path, "")
    for path in ("models/codecs/toy/metrics.json", "models/base/checkpoints/run.json"):
        write(path, "")
    found = heard(workspace, "kai")
    assert [row["corpus"] for row in found["datasets"]] == ["solo"] and found["packs"] == found["codecs"] == []
    assert {row["run"] for row in found["models"]} == {"held"}


def test_one_of_two_people_of_a_name(workspace):
    found = heard(workspace, "kai", "solo")
    assert [row["corpus"] for row in found["corpora"]] == ["solo"] and found["packs"] == []
    assert [row["corpus"] for row in found["datasets"]] == ["solo"]


def test_somebody_whose_recordings_are_gone_is_still_found(workspace):
    for path in Path("data").rglob("*.*"):
        path.unlink()
    found = heard(workspace, "kai")
    assert found["corpora"] == [] and {row["run"] for row in found["models"]} == {"base", "child", "held"}


def test_somebody_nobody_knows(workspace, capsys):
    with pytest.raises(KaikuError, match=r"knows a speaker 'kay'.*Expected: one of kai"):
        heard(workspace, "kay")
    with pytest.raises(KaikuError, match="CORPUS=duet: no such corpus"):
        heard(workspace, "kai", "duet")
    write("work/settings.json", workspace.model_dump(mode="json"))
    assert find_heard.main(["kay"]) == 1 and "one of kai" in capsys.readouterr().err
    assert find_heard.main([""]) == 1 and "no speaker is named" in capsys.readouterr().err
    assert find_heard.main(["kai", "--json"]) == 0 and json.loads(capsys.readouterr().out)["speaker"] == "kai"


def test_a_codec_counts_the_clips_it_was_fitted_to_by_speaker(tmp_path):
    """As many as it takes, and no held-out one: of clips of a second each, those that fill its seconds."""
    frame = pd.DataFrame({"clip": [f"c{n}" for n in range(9)], "speaker": ["kai", "aino", None] * 3})
    frame = frame.reindex(columns=SELECTION.names).assign(duration_s=1.0, kept=True, split=["train"] * 8 + ["val"])
    path = tmp_path / "choir/000.parquet"
    tables.write_selection(path, frame)
    assert train_codec.speakers([path], most_s=100) == {"": 2, "aino": 3, "kai": 3}
    assert sum(train_codec.speakers([path], most_s=4).values()) == 4


def test_the_page_says_what_to_do(workspace):
    said = page(heard(workspace, "kai"))
    assert "take back: dist/base.tar.gz" in said and "run old may have heard them" in said
    assert "corpora.choir.consent: {withdrawn: [kai]}" in said
    config = json.loads(json.dumps(CONFIG))
    for corpus in config["corpora"].values():
        corpus["consent"] = {"withdrawn": ["kai"]}
    assert "remove the files" in page(heard(configuration.load(config), "kai"))
