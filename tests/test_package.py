"""The archive: the same bytes twice, every checksum true, the card honest."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from kaiku.codecs import fish
from kaiku.errors import CorruptFile, KaikuError
from kaiku.package import model_card, package, verify_package
from kaiku.report.gather import _lineage
from kaiku.settings import load
from workflow_scripts import package_model

CARD = {
    "name": "aino-lora",
    "licence": "CC-BY-NC-SA-4.0",
    "licences": [
        {"what": "base openaudio-s1-mini", "licence": "CC-BY-NC-SA-4.0"},
        {"what": "corpus aino", "licence": "own"},
    ],
    "lineage": {"Dataset": "aino-v1"},
    "data": ["aino: 100 clips, 4 minutes, Finnish"],
    "figures": {
        "loss_ratio": {"value": 0.5912, "unit": "of the unigram", "meaning": "held out over unigram", "target": ""},
        "wer": {"value": None, "why": "not measured: no weights", "meaning": "words heard wrong", "target": ""},
    },
    "intended_use": "Reading aloud in Finnish.",
    "speakers": ["aino"],
}


@pytest.fixture
def parts(tmp_path):
    model, codec, report = tmp_path / "merged", tmp_path / "codec", tmp_path / "report.html"
    (model / "tokenizer").mkdir(parents=True)
    (model / "model.safetensors").write_bytes(bytes(range(256)) * 64)
    (model / "tokenizer" / "vocab.txt").write_text("ä\nö\n")
    codec.mkdir()
    (codec / "config.json").write_text("{}")
    report.write_text("<!doctype html>")
    return model, codec, report


def contents(archive):
    with tarfile.open(archive) as tar:
        return {m.name: (m, tar.extractfile(m).read()) for m in tar}


def test_same_bytes_from_other_times_modes_and_places(parts, tmp_path):
    model, codec, report = parts
    package(model, codec, report, CARD, tmp_path / "one" / "aino.tar.gz")
    moved = tmp_path / "elsewhere"
    shutil.copytree(model, moved)
    os.utime(moved / "model.safetensors", (1, 1))
    os.chmod(moved / "model.safetensors", 0o600)
    package(moved, codec, report, CARD, tmp_path / "two" / "aino.tar.gz")
    one, two = tmp_path / "one" / "aino.tar.gz", tmp_path / "two" / "aino.tar.gz"
    assert one.read_bytes() == two.read_bytes()
    assert [p.name for p in one.parent.iterdir()] == ["aino.tar.gz"]


def test_members_are_plain_sorted_and_nobodys(parts, tmp_path):
    out = tmp_path / "aino.tar.gz"
    package(*parts, CARD, out)
    members = contents(out)
    assert (
        list(members)
        == sorted(members)
        == [
            "aino/MODEL_CARD.md",
            "aino/SHA256SUMS",
            "aino/codec/config.json",
            "aino/model/model.safetensors",
            "aino/model/tokenizer/vocab.txt",
            "aino/report.html",
        ]
    )
    for member, _ in members.values():
        assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)
    assert out.read_bytes()[4:8] == bytes(4), "no time in the gzip header"


def test_every_checksum_is_true(parts, tmp_path):
    out = tmp_path / "aino.tar.gz"
    package(*parts, CARD, out)
    digests = verify_package(out)
    members = contents(out)
    assert len(digests) == 5 == len(members) - 1
    for name, stated in digests.items():
        assert hashlib.sha256(members[f"aino/{name}"][1]).hexdigest() == stated
    with tarfile.open(out) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "unpacked" / "aino", capture_output=True, text=True
    )
    assert checked.returncode == 0 and checked.stdout.count(": OK") == 5


def test_a_changed_or_cut_archive_is_told(parts, tmp_path):
    out, forged, cut = (tmp_path / f"{name}.tar.gz" for name in ("aino", "forged", "cut"))
    package(*parts, CARD, out)
    with tarfile.open(forged, "w:gz") as tar:
        for name, (member, content) in contents(out).items():
            content = content.replace(b"openaudio", b"0penaudio") if name.endswith(".md") else content
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(CorruptFile, match=r"1 files differ from SHA256SUMS, MODEL_CARD\.md"):
        verify_package(forged)
    cut.write_bytes(out.read_bytes()[:-200])
    with pytest.raises(CorruptFile, match="cannot be read"):
        verify_package(cut)


def test_codec_and_report_may_stay_behind(parts, tmp_path):
    package(parts[0], None, None, CARD, tmp_path / "aino.tar.gz")
    assert set(verify_package(tmp_path / "aino.tar.gz")) == {
        "MODEL_CARD.md",
        "model/model.safetensors",
        "model/tokenizer/vocab.txt",
    }


def test_nothing_to_hand_over_and_no_archive_name(parts, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(KaikuError, match="holds no file"):
        package(tmp_path / "empty", None, None, CARD, tmp_path / "aino.tar.gz")
    with pytest.raises(KaikuError, match=r"ends in \.tar\.gz"):
        package(parts[0], None, None, CARD, tmp_path / "aino.zip")
    assert not (tmp_path / "aino.tar.gz").exists() and not (tmp_path / "aino.zip").exists()


def test_card_says_what_must_be_said():
    card = model_card(CARD)
    assert "> **Not for commercial use: base openaudio-s1-mini is under CC-BY-NC-SA-4.0.**" in card
    assert "This model imitates aino." in card and "never said by a person" in card
    assert "| Loss over unigram | 0.591 of the unigram | held out over unigram |" in card
    assert "| Word error rate | not measured: no weights | words heard wrong |" in card
    free = model_card({"name": "x", "licence": "own", "licences": [{"what": "corpus aino", "licence": "CC0-1.0"}]})
    assert "commercial" not in free and "Not stated." in free and "Not measured." in free


def test_a_card_of_many_voices_counts_them_and_of_unnamed_ones_names_none():
    def imitated(speakers):
        return re.search("This model imitates (.*?)\\.", model_card({**CARD, "speakers": speakers}))[1]

    assert imitated(["aino", "otso"]) == "aino, otso"
    assert imitated([f"p{i}" for i in range(225, 246)]) == "21 speakers"
    assert imitated([]) == "the recorded speakers"


CORPUS = {"layout": "wav_lab", "language": "fi", "speaker": "kai", "licence": "own"}
MIXED = {
    "system": "mixed",
    "corpora": {"aino": CORPUS, "otso": {**CORPUS, "licence": "CC0-1.0"}},
    "datasets": {"both": {"corpora": ["aino", "otso"], "mix": {"aino": 2, "otso": 1}}, "one": {"corpora": ["aino"]}},
    "bases": {"mini": {"path": "base", "licence": "CC-BY-NC-SA-4.0"}},
    "codecs": {"fish": {"kind": "fish", "base": "mini"}},
    "runs": {
        "first": {"family": "fish", "base": "mini", "dataset": "both", "codec": "fish"},
        "second": {"family": "fish", "base": "first", "dataset": "one", "codec": "fish"},
    },
}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def workspace(parts, tmp_path, monkeypatch):
    """Two runs of which one came of the other, with a codec that stands beside a language model."""
    monkeypatch.chdir(tmp_path)
    fish.tiny(tmp_path / "base")
    (tmp_path / "base/model.pth").write_bytes(b"the language model")
    put(tmp_path / "work/settings.json", load(MIXED).model_dump(mode="json"))
    put(tmp_path / "metrics.json", {"figures": {}})
    for run, steps, speakers in (("first", 900, {"otso": 7, "p225": 3}), ("second", 120, {"aino": 4})):
        put(tmp_path / f"models/{run}/checkpoints/run.json", {"steps": steps, "speakers": {"train": speakers}})
    return tmp_path


def packed(workspace):
    """What the program packs of the second run, by name."""
    folders = [f"models/{run}/checkpoints" for run in ("second", "first")]
    arguments = ["--run", "second", "--model", "merged", "--codec", "base", "--checkpoints", *folders]
    arguments += ["--report", "report.html", "--metrics", "metrics.json", "--out", "second.tar.gz"]
    assert package_model.main(arguments) == 0
    return {name.removeprefix("second/"): data for name, (_, data) in contents("second.tar.gz").items()}


def test_of_a_base_model_only_the_codec_goes_along(workspace):
    assert {name for name in packed(workspace) if name.startswith("codec/")} == {
        "codec/codec.pth",
        "codec/codec_config.yaml",
    }


def test_the_card_tells_of_the_whole_lineage(workspace):
    card = packed(workspace)["MODEL_CARD.md"].decode()
    assert "This model imitates aino, otso, p225." in card
    assert "aino: fi, own, heard by second\n- aino: fi, own, heard by first, each clip 2 times an epoch\n" in card
    assert "- otso: fi, CC0-1.0, heard by first\n" in card
    put(workspace / "models/first/checkpoints/run.json", {"speakers": {"train": {"otso": 7, "": 3}}})
    assert "This model imitates the recorded speakers." in packed(workspace)["MODEL_CARD.md"].decode()


def test_the_report_tells_the_steps_of_each_training_and_its_mix(workspace):
    lineage = _lineage(load(MIXED), "second")
    assert lineage["run first"] == "all weights, 900 steps on both, from mini"
    assert lineage["run second"] == "all weights, 120 steps on one, from first"
    assert lineage["mix of first"] == "each clip so often in an epoch: aino 2; others once"
    assert "mix of second" not in lineage
