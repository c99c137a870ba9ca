"""Exports through real Snakemake: made by default, made again when what stands in them changed, and only then."""

import json
from copy import deepcopy

import numpy as np
import pytest
import small_world

EXPORTS = {
    "lj": {"dataset": "spoken", "format": "ljspeech"},
    "fish": {"dataset": "spoken", "format": "fish", "codec": "env"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Ten clips in two shards, exported twice; no training."""
    made = small_world.build(tmp_path_factory.mktemp("exports") / "w", 10, 2)
    config = deepcopy(made.config)
    del config["runs"]
    config["exports"] = EXPORTS
    made.configure(config)
    made.snakemake()
    return made


def test_the_configured_exports_are_made_and_nothing_is_left_to_do(world):
    table = (world.root / "dist/exports/lj/metadata.csv").read_text().splitlines()
    assert len(table) == 10 and {line.split("|")[0] for line in table} == set(world.clips())
    assert world.planned() == {}


def test_fish_has_the_tokens_of_the_cache(world):
    folder, found = world.root / "dist/exports/fish", 0
    for shard in world.shard_names():
        import pyarrow.parquet as pq

        rows = pq.read_table(world.root / f"data/tokens/env/voice/{shard}.parquet").to_pylist()
        codes = np.load(world.root / f"data/tokens/env/voice/{shard}.npy")
        for row in rows:
            (path,) = folder.glob(f"*/kai/{row['clip']}.npy")
            written = np.load(path)
            assert written.dtype == np.int64
            assert np.array_equal(written.T, codes[row["first"] : row["first"] + row["frames"]])
            found += 1
    assert found == 10


def test_an_edited_text_makes_both_again_and_a_threshold_that_moves_nobody_neither(world):
    clip = world.clips()[0]
    world.say(clip, "aivan toinen sana")
    world.snakemake()
    assert f"{clip}|aivan toinen sana|" in (world.root / "dist/exports/lj/metadata.csv").read_text()
    assert {name: c["computed"] for name, c in world.counts("export_dataset").items()} == {"fish": 1, "lj": 1}
    config = world.config
    config["datasets"]["spoken"]["select"] = {"duration_s": [0.1, 5]}
    world.configure(config)
    world.snakemake()
    assert {name: c["reused"] for name, c in world.counts("export_dataset").items()} == {"fish": 1, "lj": 1}
    assert (world.root / "dist/exports/lj/duration.json").exists()
    assert len(json.loads((world.root / "dist/exports/lj/duration.json").read_text())) == 10


def test_a_corrected_licence_reaches_both_and_nothing_else(world):
    config = world.config
    config["corpora"]["voice"]["licence"] = "CC-BY-NC-4.0"
    world.configure(config)
    assert world.planned() == {"export_dataset": 2}
    world.snakemake()
    assert "CC-BY-NC-4.0" in (world.root / "dist/exports/lj/LICENCES").read_text()


def test_a_format_that_is_not_there_is_refused_with_the_name_that_was_meant(world):
    before = world.config
    world.configure({**before, "exports": {"lj": {"dataset": "spoken", "format": "ljspech"}}})
    done = world.snakemake("--dry-run", check=False)
    world.configure(before)
    assert done.returncode and "did you mean 'ljspeech'" in done.stderr
