"""Derived corpora through real Snakemake: what one edit costs, and that nothing held out is trained on."""

from copy import deepcopy

import numpy as np
import pytest
import small_world
import soundfile

from kaiku.store import tables

DERIVED = {"voice-slow": {"derived": {"of": "voice", "speed": 0.9}}}
NOISE = {"snr_db": 10, "folder": "noise"}
DERIVED |= {"voice-noisy": {"derived": {"of": "voice", "noise": NOISE}, "speaker": "kai-noisy"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Ten clips in two shards, two of them held out, and what is derived from them; no training."""
    made = small_world.build(tmp_path_factory.mktemp("augmented") / "w", 18, 2)
    config = deepcopy(made.config)
    del config["runs"]
    config["corpora"] |= DERIVED
    config["datasets"]["spoken"] |= {"corpora": ["voice", *DERIVED], "split": {"val": ["clip-*7"], "test": ["*3"]}}
    config["exports"] = {"fish": {"dataset": "spoken", "format": "fish", "codec": "env"}}
    made.configure(config)
    for number in range(2):
        add_noise(made, f"noise-{number}")
    made.snakemake()
    return made


def add_noise(world, name):
    (world.root / "noise").mkdir(exist_ok=True)
    samples = np.random.default_rng(len(name)).normal(0, 0.1, 8_000)
    soundfile.write(world.root / f"noise/{name}.wav", samples, 16_000)


def decided(world, corpus):
    import pandas as pd

    paths = sorted((world.root / "data/selection/spoken" / corpus).glob("*.parquet"))
    return pd.concat([tables.selection(path) for path in paths])


def test_derived_clips_train_beside_those_they_were_made_from_and_no_held_out_one_does(world):
    source = decided(world, "voice")
    trained = set(source.loc[source["split"] == "train", "clip"])
    assert 0 < len(trained) < len(source) == 18
    for corpus in DERIVED:
        frame = decided(world, corpus)
        assert len(frame) == 18
        kept = frame[frame["kept"]]
        assert set(kept["split"]) == {"train"}
        assert set(kept["clip"].str.removesuffix(f"~{corpus}")) == trained
        assert set(frame.loc[~frame["kept"], "reason"]) == {"source_not_train"}
        said = dict(zip(source["clip"], source["text"], strict=True))
        assert all(row.text == said[row.clip.removesuffix(f"~{corpus}")] for row in kept.itertuples())
    assert set(decided(world, "voice-slow")["speaker"]) == {"kai"}
    assert set(decided(world, "voice-noisy")["speaker"]) == {"kai-noisy"}


def test_an_edited_clip_makes_one_derived_clip_of_each(world):
    assert world.planned() == {}
    clip = world.clips()[0]
    shard = world.shard(clip)
    world.edit(clip, seed=4711)
    jobs = world.planned_jobs()
    assert {f"augment_segments/{corpus}.{shard}" for corpus in DERIVED} == {j for j in jobs if j.startswith("augment")}
    world.snakemake()
    for rule in ("augment_segments", "encode_tokens"):
        for job, counts in world.counts(rule).items():
            if job.removeprefix("env.") in {f"{corpus}.{shard}" for corpus in DERIVED}:
                assert counts["computed"] == 1 and counts["failed"] == 0, (rule, job)
    assert world.planned() == {}


def test_a_parameter_makes_its_corpus_again_and_no_other(world):
    before = world.artefacts()
    config = world.config
    config["corpora"]["voice-slow"]["derived"]["speed"] = 1.1
    world.configure(config)
    assert {j for j in world.planned_jobs() if j.startswith("augment")} == {
        f"augment_segments/voice-slow.{shard}" for shard in world.shard_names()
    }
    world.snakemake()
    config["corpora"]["voice-slow"]["derived"]["speed"] = 0.9
    world.configure(config)
    world.snakemake()
    computed = {job: c["computed"] for job, c in world.counts("augment_segments").items() if "slow" in job}
    assert computed == {f"voice-slow.{shard}": 0 for shard in world.shard_names()}
    assert world.artefacts() == before, "and everything has the bytes it had"


def test_the_export_holds_the_derived_clips_apart_by_name(world):
    labs = [path.stem for path in (world.root / "dist/exports/fish").glob("*/*/*.lab")]
    assert len(labs) == len(set(labs)) and len([name for name in labs if "~voice-slow" in name]) == len(
        [name for name in labs if "~voice-noisy" in name]
    )
    assert not list((world.root / "dist/exports/fish/val").glob("*/*~*"))


def test_an_edit_of_a_text_reaches_the_derived_clips(world):
    clip = world.clips()[0]
    world.say(clip, "kokonaan uusi lause")
    world.snakemake()
    for corpus in DERIVED:
        frame = decided(world, corpus).set_index("clip")
        assert frame.loc[f"{clip}~{corpus}", "text"] == "kokonaan uusi lause"


def test_noise_counts_by_what_it_holds(world):
    for path in (world.root / "noise").iterdir():
        path.touch()
    assert world.planned() == {}
    (world.root / "noise").rename(world.root / "elsewhere")
    config = world.config
    config["corpora"]["voice-noisy"]["derived"]["noise"]["folder"] = "elsewhere"
    world.configure(config)
    assert world.planned() == {}, "it was moved"
    (world.root / "elsewhere").rename(world.root / "noise")
    config["corpora"]["voice-noisy"]["derived"]["noise"]["folder"] = "nowhere"
    world.configure(config)
    done = world.snakemake("--dry-run", check=False)
    assert done.returncode and "corpora.voice-noisy.derived.noise.folder: nowhere is not there" in done.stderr
    config["corpora"]["voice-noisy"]["derived"]["noise"]["folder"] = "noise"
    world.configure(config)
    add_noise(world, "another one")
    assert {job for job in world.planned_jobs() if job.startswith("augment")} == {
        f"augment_segments/voice-noisy.{shard}" for shard in world.shard_names()
    }
    world.snakemake()
    counts = world.counts("augment_segments")
    noisy = [counts[f"voice-noisy.{shard}"] for shard in world.shard_names()]
    assert 0 < sum(c["computed"] for c in noisy) < 18 == sum(c["computed"] + c["reused"] for c in noisy)


def test_the_plan_and_a_clips_passport_know_derived_clips(world):
    import os
    import subprocess
    import sys

    def ask(program, *arguments):
        command = [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(small_world.REPO), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=world.root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    clip = world.clips()[1]
    world.edit(clip, seed=4712)
    said = ask("plan_run")
    assert "augment_segments" in said and "export_dataset" in said
    world.snakemake()
    assert "made of voice: speed 0.9" in ask("explain_clip", f"{clip}~voice-slow", "--corpus", "voice-slow")
