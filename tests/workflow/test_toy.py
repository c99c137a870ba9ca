"""The whole toy, once, at reduced size: what it says, what it hands over, and what each edit makes again.

The edits share one workspace and are undone by the tests that make them, in the order of the file.
"""

import json
import os
import shutil

import pytest

from kaiku.package import verify_package
from kaiku.report.licence import allows_commercial_use
from kaiku.settings import DEFAULT_CHECKS
from kaiku.store import tables
from kaiku.store.protos import read_protos

PACKS = [
    f"data/protos/{voice}/toy/{split}/{voice}-000.protos" for voice in ("otso", "aino") for split in ("train", "val")
]


def test_it_speaks(toy):
    base, voice = toy.metrics("toy-base"), toy.metrics("toy")
    assert base["loss_ratio"]["value"] <= 0.80
    assert base["loss_ratio"]["levels"][0] <= 0.60
    assert base["wrong_text_gap"]["value"] >= 1
    assert base["retrieval_train"]["value"] >= 4
    assert voice["loss_ratio"]["value"] <= 0.85
    assert voice["wrong_text_gap"]["value"] >= 1
    for figures in (base, voice):
        assert 0.75 <= figures["length_ratio_val"]["value"] <= 1.35


def test_the_merge_is_proven(toy):
    merge = json.loads((toy.root / "models/toy/merged/metadata.json").read_text())["merge"]
    assert merge["adapter"] and merge["max_logit_difference"] < 1e-4


def test_report_and_archive_are_whole(toy):
    page = (toy.root / "results/toy/report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and page.count("<audio") >= 16
    found = verify_package(toy.root / "dist/toy.tar.gz")
    assert {"model/model.safetensors", "codec/encoder.safetensors", "report.html", "MODEL_CARD.md"} <= set(found)
    assert not (toy.root / "dist/toy-base.tar.gz").exists()
    licences = json.loads((toy.root / "results/toy/licences.json").read_text())
    assert licences.keys() == {"corpus otso", "corpus aino"}
    assert all(allows_commercial_use(licence) for licence in licences.values())


def test_every_sentence_became_a_clip_with_its_text(toy):
    truth = _truth()
    for voice in ("otso", "aino"):
        expected = sorted(
            s["text"]
            for path, row in truth["recordings"].items()
            if path.startswith(f"{voice}/")
            for s in row["sentences"]
        )
        frame = tables.selection(toy.root / f"data/selection/{voice}/{voice}/000.parquet")
        assert sorted(frame.loc[frame["kept"], "text"]) == expected
        packed = [
            s.text
            for split in ("train", "val")
            for s in read_protos(toy.root / PACKS[0].replace("otso", voice).replace("train", split))
        ]
        assert sorted(packed) == expected


def test_bad_files_are_rows_with_their_errors(toy):
    segments = tables.segments(toy.root / "data/segments/faults/000.parquet")
    failed = segments[segments["status"] == "failed"]
    assert set(failed["recording"]) >= {"bad--empty", "bad--header-only", "bad--nan", "bad--text"}
    assert failed["error"].str.len().min() > 10
    assert toy.counts("segment_recordings")["faults.000"]["failed"] == len(failed)


def test_nothing_is_to_be_done_twice(toy):
    assert toy.planned() == {}


def test_touched_recordings_cost_nothing(toy):
    for path in (toy.root / "toy/corpus").rglob("*.*"):
        os.utime(path)
    assert toy.planned() == {}


def test_an_edited_text_touches_no_audio(toy):
    path = toy.root / "toy/corpus/otso/train-01.vtt"
    before = path.read_text()
    path.write_text(before.replace(before.split("\n")[-2].split()[0], "Kaiku", 1))
    assert path.read_text() != before
    planned = toy.planned()
    assert {rule: planned.get(rule, 0) for rule in ("segment_recordings", "measure_segments", "train_codec")} == {
        "segment_recordings": 0,
        "measure_segments": 0,
        "train_codec": 0,
    }
    assert "encode_tokens" not in planned and planned["transcribe_segments"] == 1 and planned["select_segments"] == 2
    toy.snakemake(*PACKS)
    assert toy.counts("transcribe_segments")["given.otso.000"]["computed"] == 1
    assert any("Kaiku" in s.text for s in read_protos(toy.root / PACKS[0]))
    path.write_text(before)
    toy.snakemake(*PACKS)
    assert toy.counts("transcribe_segments")["given.otso.000"]["computed"] == 0
    assert toy.counts("pack_protos")["otso.toy.otso.000"]["computed"] == 0


def test_what_was_changed_back_trains_nothing(toy):
    assert toy.planned() == {}


def test_an_added_recording_costs_its_items(toy):
    added = toy.root / "toy/corpus/aino/train-99.ogg"
    shutil.copy(toy.root / "toy/corpus/otso/train-20.ogg", added)
    shutil.copy(toy.root / "toy/corpus/otso/train-20.vtt", added.with_suffix(".vtt"))
    planned = toy.planned(*PACKS)
    assert planned == {
        "segment_recordings": 1,
        "transcribe_segments": 1,
        "measure_segments": 1,
        "select_segments": 1,
        "encode_tokens": 1,
        "pack_protos": 1,
    }
    toy.snakemake(*PACKS)
    assert toy.counts("segment_recordings")["aino.000"]["computed"] == 1
    assert toy.counts("encode_tokens")["toy.aino.000"]["computed"] == 4
    assert toy.counts("measure_segments")["aino.000"]["computed"] == 4 * len(toy.config.get("checks", DEFAULT_CHECKS))
    for path in (added, added.with_suffix(".vtt")):
        path.unlink()
    toy.snakemake(*PACKS)
    assert toy.counts("segment_recordings")["aino.000"]["computed"] == 0
    assert toy.counts("encode_tokens")["toy.aino.000"]["computed"] == 0


def test_a_threshold_touches_no_audio_and_no_tokens(toy):
    config = toy.config
    config["datasets"]["otso"]["select"] = {"duration_s": [0.5, 30]}
    toy.configure(config)
    planned = toy.planned()
    assert {"segment_recordings", "transcribe_segments", "measure_segments", "encode_tokens", "train_codec"}.isdisjoint(
        planned
    )
    toy.snakemake()
    assert toy.counts("train_model")["toy-base"] | {"seconds": 0, "cpu_seconds": 0} == {
        "computed": 0,
        "reused": 1,
        "failed": 0,
        "damaged": 0,
        "seconds": 0,
        "cpu_seconds": 0,
    }


def test_a_failed_job_says_why_and_is_planned_again(toy):
    config = toy.config
    config["corpora"]["faults"]["max_failed"] = 0.05
    config["corpora"]["faults"]["segment"] = {"margin_ms": 140}
    toy.configure(config)
    target = "data/selection/faults/faults/000.parquet"
    failed = toy.snakemake(target, check=False)
    assert failed.returncode != 0
    assert "segment_recordings failed. The end of its log, logs/segment_recordings/faults.000.log" in failed.stderr
    assert "What to do:" in failed.stderr and "max_failed" in failed.stderr
    assert toy.planned(target)["segment_recordings"] == 1
    config["corpora"]["faults"]["max_failed"] = 1.0
    toy.configure(config)
    toy.snakemake(target)
    counts = toy.counts("segment_recordings")["faults.000"]
    assert counts["computed"] == 0 and counts["reused"] == 10 and counts["failed"] == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: c["runs"]["toy"]["train"].update(max_step=5),
            "runs.toy.train.max_step is not a setting; did you mean 'max_steps'?",
        ),
        (lambda c: c["runs"]["toy"]["train"].update(batch_size="eight"), "runs.toy.train.batch_size is 'eight'"),
        (lambda c: c["corpora"]["otso"].update(path="/nowhere/otso"), "/nowhere/otso"),
    ],
)
def test_a_wrong_configuration_is_one_plain_sentence(toy, change, words):
    config = toy.config
    wrong = toy.config
    change(wrong)
    toy.configure(wrong)
    try:
        done = toy.snakemake("--dry-run", check=False)
    finally:
        toy.configure(config)
    if "/nowhere" in words:  # its manifests are there: they freeze, aloud
        assert done.returncode == 0 and "manifests stay as they are" in done.stderr
    else:
        assert done.returncode != 0 and "Traceback" not in done.stderr
    assert words in done.stderr


def _truth():
    from pathlib import Path

    return json.loads((Path(__file__).parents[2] / "toy/truth.json").read_text())
