"""What bounds of one corpus, consent, subsets, gates and surveys plan, through Snakemake: exactly what they concern."""

import csv
import json
from copy import deepcopy

import pytest
from small_world import CONFIG, Workspace, sentence, write_clip, write_codec

from kaiku.store import tables
from kaiku.store.shards import shard_of

SHARDS = 3
CLIPS = [f"song-{number:02d}" for number in range(18)]
WITHDRAWS = "bo"


def speaker(clip: str) -> str:
    """All of shard 001 but one clip are bo's, and nothing else is."""
    mine = [name for name in CLIPS if shard_of(name, SHARDS) == "001"]
    return WITHDRAWS if clip in mine[1:] else "aino"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Workspace:
    """Two corpora, choir of two speakers in three shards and solo in one, in a dataset; packed."""
    root = tmp_path_factory.mktemp("datasets")
    for corpus, clips in (("choir", CLIPS), ("solo", ["a", "b", "c"])):
        folder = root / "data/raw" / corpus
        folder.mkdir(parents=True)
        with (folder / "clips.csv").open("w") as file:
            table = csv.writer(file)
            table.writerow(["file", "text", "speaker"])
            for number, clip in enumerate(clips):
                write_clip(folder / f"{clip}.wav", number)
                table.writerow([f"{clip}.wav", sentence(number), speaker(clip) if corpus == "choir" else WITHDRAWS])
    write_codec(root / "models/given/env", seed=0)
    (root / "config").mkdir()
    made = Workspace(root)
    own = {"layout": "csv", "language": "fi", "licence": "CC0-1.0"}
    config = deepcopy(CONFIG)
    config |= {"plugins": [], "checks": {"duration": {}, "level": {}}}
    config["corpora"] = {"choir": {**own, "shards": SHARDS}, "solo": {**own, "shards": 1}}
    config["datasets"] = {
        "both": {"corpora": ["choir", "solo"], "split": {"by": "clip", "val": 0.3}},
        "alone": {"corpora": ["solo"], "split": {"by": "clip", "val": 0}},
    }
    config["runs"]["tiny"]["dataset"] = "both"
    made.configure(config)
    made.snakemake(*targets(made))
    assert made.planned_jobs(*targets(made)) == []
    return made


def targets(world: Workspace) -> list[str]:
    """All selections, and the packs of the run."""
    shards = [("choir", f"{n:03d}") for n in range(SHARDS)] + [("solo", "000")]
    packs = [f"data/protos/both/env/train/{corpus}-{shard}.protos" for corpus, shard in shards]
    return [*packs, "data/selection/alone/solo/000.parquet"]


@pytest.fixture
def changed(world):
    """A function that changes the configuration for a test."""
    before = world.config

    def change(edit) -> dict:
        config = deepcopy(before)
        edit(config)
        world.configure(config)
        return config

    yield change
    world.configure(before)


def test_bounds_of_one_corpus_concern_it_alone(world, changed):
    changed(
        lambda config: config["datasets"]["both"].update(per_corpus={"solo": {"select": {"duration_s": [9, None]}}})
    )
    assert world.planned_jobs(*targets(world)) == ["pack_protos/both.env.solo.000", "select_segments/both.solo.000"]
    said = world.snakemake("--dry-run", *targets(world)).stderr
    assert "dataset both: select.duration_s added: {min: 9}" in said
    changed(lambda config: config["datasets"]["both"].update(warn={"duration_s": [0.5, None]}))
    jobs = [job for job in world.planned_jobs(*targets(world)) if job.startswith("select")]
    assert jobs == [f"select_segments/both.choir.{n:03d}" for n in range(SHARDS)] + ["select_segments/both.solo.000"]


def test_another_corpus_of_a_dataset_leaves_the_others_alone(world, changed):
    changed(lambda config: config["datasets"]["alone"].update(corpora=["solo", "choir"]))
    selections = [f"data/selection/alone/choir/{n:03d}.parquet" for n in range(SHARDS)]
    assert world.planned(*targets(world), *selections) == {"select_segments": SHARDS}


def test_settings_that_decide_no_clip_plan_nothing(world, changed):
    changed(lambda config: config["datasets"]["both"].update(report=True, gates={"in_range": 0.5}))
    assert world.planned_jobs(*targets(world)) == []


def test_who_withdraws_is_taken_out_of_exactly_what_holds_them(world, changed):
    changed(lambda config: config["corpora"]["choir"].update(consent={"withdrawn": [WITHDRAWS]}))
    assert world.planned_jobs(*targets(world)) == ["pack_protos/both.env.choir.001", "select_segments/both.choir.001"]
    said = world.snakemake(*targets(world)).stderr
    assert f"dataset both: withdrawn [] -> [{WITHDRAWS}]" in said
    frame = tables.selection(world.root / "data/selection/both/choir/001.parquet")
    theirs = frame[frame["speaker"] == WITHDRAWS]
    assert len(theirs) and set(theirs["reason"]) == {"consent_withdrawn"}
    assert "consent_withdrawn" not in set(frame.loc[frame["speaker"] != WITHDRAWS, "reason"])
    assert world.planned_jobs(*targets(world)) == []
    changed(lambda config: None)
    world.snakemake(*targets(world))
    assert world.counts("pack_protos")["both.env.choir.001"] | {"seconds": 0, "cpu_seconds": 0} == {
        **dict.fromkeys(("computed", "failed", "damaged", "seconds", "cpu_seconds"), 0),
        "reused": 1,
    }


def test_a_survey_is_made_where_it_is_asked_for_and_gates_stop_what_is_behind_them(world, changed):
    page, account = (f"results/datasets/both/{name}" for name in ("report.html", "account.json"))
    world.snakemake(page)
    assert world.counts("report_dataset") == {"both": world.counts("report_dataset")["both"]}
    found = json.loads((world.root / account).read_text())
    sums = found["account"]
    parts = [sums["kept"], sums["outside"], *sums["dropped"].values()]
    assert sum(part["ms"] for part in parts) == sums["source"]["ms"] and sums["source"]["clips"] == len(CLIPS) + 3
    assert world.planned_jobs(page) == []
    with_gates = changed(lambda config: config["datasets"]["both"].update(gates={"enforce": True}))
    assert world.planned_jobs(page) == ["report_dataset/both"]
    assert "pass_gates/both" in world.planned_jobs("models/tiny/checkpoints")
    done = world.snakemake("results/datasets/both/passed.json", check=False)
    assert done.returncode and (world.root / page).exists()
    said = (world.root / "logs/pass_gates/both.log").read_text()
    assert "error: dataset both does not pass its gates: share in range is 0, wanted at least 0.9." in said
    with_gates["datasets"]["both"]["gates"]["duration_s"] = [0.1, 5]
    world.configure(with_gates)
    world.snakemake("results/datasets/both/passed.json")
