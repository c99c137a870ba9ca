"""Checks that compare clips: planned only where one is configured, one description for a clip more."""

import shutil

import numpy as np
import pytest
import small_world
import soundfile

from kaiku.selection import widened
from kaiku.store import tables

COMPARE = {"duplicate": {"min_s": 0.3}, "speaker_outlier": {"min_clips": 4}}
SELECTIONS = "data/selection/spoken/voice/{}.parquet"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A corpus of 8 clips in 2 shards, compared, up to the selection."""
    world = small_world.build(tmp_path_factory.mktemp("compared") / "world", clips=8, shards=2)
    assert not any(rule in world.planned(*selections(world)) for rule in ("describe_clips", "compare_clips"))
    world.configure({**world.config, "checks": {"duration": {}, **COMPARE}})
    world.snakemake(*selections(world))
    return world


def selections(world):
    return [SELECTIONS.format(shard) for shard in world.shard_names()]


def compared(world):
    shards = [tables.measures(path) for path in sorted((world.root / "data/comparisons/voice").glob("*.parquet"))]
    fields = ["duplicates", "duplicates_before", "duplicate_similarity", "duplicate_group", "speaker_outlier"]
    return {row["clip"]: row for shard in shards for row in widened(shard, fields).to_dict("records")}


def test_every_clip_is_compared_and_none_is_a_copy(world):
    found = compared(world)
    assert sorted(found) == world.clips()
    assert {row["duplicates"] for row in found.values()} == {0}
    assert all(np.isnan(row["duplicate_group"]) and np.isfinite(row["duplicate_similarity"]) for row in found.values())
    assert all(np.isnan(row["speaker_outlier"]) for row in found.values()), "hums are no speech"
    assert world.planned(*selections(world)) == {}


def test_a_copy_in_another_shard_is_found_and_costs_one_description(world, tmp_path):
    copied = small_world.SmallWorld(tmp_path / "world", world.code, world.shards)
    shutil.copytree(world.root, copied.root)
    original = copied.clips()[0]
    elsewhere = next(shard for shard in copied.shard_names() if shard != copied.shard(original))
    copy = copied.free_name(elsewhere)
    samples, rate = soundfile.read(copied.audio(original))
    soundfile.write(copied.corpus / f"{copy}.ogg", 0.5 * samples, rate)
    copied.say(copy, "kaiku kaiku")
    config = copied.config
    config["datasets"]["spoken"]["select"] = {"duplicates_before": {"max": 0}}
    copied.configure(config)
    planned = copied.planned(*selections(copied))
    assert planned["describe_clips"] == 1 and planned["compare_clips"] == 2
    copied.snakemake(*selections(copied))
    described = copied.counts("describe_clips")[f"voice.{elsewhere}"]
    assert described["computed"] == 2, "one clip, two comparisons"
    found = compared(copied)
    assert found[copy]["duplicate_group"] == found[original]["duplicate_group"] > 0
    assert (found[original]["duplicates_before"], found[copy]["duplicates_before"]) == (0, 1)
    assert {clip for clip, row in found.items() if row["duplicates"]} == {original, copy}
    decided = tables.selection(copied.root / SELECTIONS.format(elsewhere)).set_index("clip")
    assert decided.loc[copy, "reason"] == "duplicates_before_high"
    assert list(decided.loc[~decided["kept"]].index) == [copy]


def test_a_threshold_of_a_comparison_describes_nothing_again(world, tmp_path):
    copied = small_world.SmallWorld(tmp_path / "world", world.code, world.shards)
    shutil.copytree(world.root, copied.root)
    copied.configure({**copied.config, "checks": {"duration": {}, **COMPARE, "duplicate": {"min_s": 0.2}}})
    assert copied.planned(*selections(copied)) == {"compare_clips": 2, "select_segments": 2}
