"""Decisions of a review through real Snakemake: what they plan, what they come to, and when they no longer apply."""

import os
import shutil

import pytest
import small_world
import yaml
from small_world import REPO, Workspace

from kaiku.review import files
from kaiku.review.decisions import Decision
from kaiku.store import manifests, tables
from kaiku.workspace import reconcile


def decide(corpus, shard, verdicts):
    """Decide about clips of a shard, by name: (verdict, text); as the page does, by content and times."""
    contents = manifests.read_digests(manifests.audio_path(files.MANIFESTS / corpus, shard))
    times = {
        clip: own for clip, *own in tables.times(tables.segments(files.Path(f"data/segments/{corpus}/{shard}.parquet")))
    }
    for clip, (verdict, text) in verdicts.items():
        recording, start_s, end_s = times[clip]
        place = (contents[recording], recording, round(start_s * 1000), round(end_s * 1000))
        files.decide(corpus, shard, Decision(*place, verdict, text, reviewer="tester"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small world of four shards, selected; no codec is asked for."""
    world = small_world.build(tmp_path_factory.mktemp("review"), clips=24, shards=4)
    world.snakemake(*selections(world))
    return world


@pytest.fixture
def world(built, tmp_path, monkeypatch):
    """A copy; the test works in its folder, as the page's server does."""
    shutil.copytree(built.root, tmp_path / "world", symlinks=True)
    monkeypatch.chdir(tmp_path / "world")
    return small_world.SmallWorld(tmp_path / "world", built.code, built.shards)


def selections(world):
    return [f"data/selection/spoken/voice/{shard}.parquet" for shard in world.shard_names()]


def selection(world, shard):
    return tables.selection(world.root / f"data/selection/spoken/voice/{shard}.parquet").set_index("clip")


def select_jobs(shards):
    return [f"select_segments/spoken.voice.{shard}" for shard in sorted(shards)]


def test_three_corrected_clips_plan_their_shards_and_no_other(world):
    assert world.planned(*selections(world)) == {}
    corrected = {shard: world.clips(shard)[0] for shard in ("000", "001", "003")}
    for shard, clip in corrected.items():
        decide("voice", shard, {clip: ("text", f"oikaistu {shard}")})
    assert world.planned_jobs(*selections(world)) == select_jobs(corrected)
    before = {shard: selection(world, shard) for shard in world.shard_names()}
    world.snakemake(*selections(world))
    assert world.planned(*selections(world)) == {}
    for shard in world.shard_names():
        now = selection(world, shard)
        changed = set(now.index[(now != before[shard]).any(axis=1)])
        assert changed == ({corrected[shard]} if shard in corrected else set())
    assert selection(world, "001").loc[corrected["001"], "text"] == "oikaistu nolla nolla yksi"


def test_a_decision_withdrawn_and_a_file_gone_give_the_same_as_before(world):
    clip = world.clips("000")[0]
    path = world.root / selections(world)[0]
    before = path.read_bytes()
    decide("voice", "000", {clip: ("reject", "")})
    world.snakemake(*selections(world))
    assert selection(world, "000").loc[clip, "reason"] == "review_rejected"
    decide("voice", "000", {clip: ("none", "")})
    assert world.planned_jobs(*selections(world)) == select_jobs(["000"])
    world.snakemake(*selections(world))
    assert path.read_bytes() == before
    files.path_of("voice", "000").unlink()
    world.snakemake(*selections(world))
    assert path.read_bytes() == before and world.planned(*selections(world)) == {}


def test_a_renamed_recording_takes_its_decision_to_another_shard(world):
    clip, other = world.clips("001")[0], world.clips("001")[1]
    decide("voice", "001", {clip: ("reject", ""), other: ("keep", "")})
    world.snakemake(*selections(world))
    name = world.free_name("002")
    world.rename(clip, name)
    said = world.snakemake(*selections(world)).stderr
    assert "voice: 1 decisions of the review went with renamed recordings" in said
    assert selection(world, "002").loc[name, ["reason", "review"]].tolist() == ["review_rejected", "reject"]
    assert selection(world, "001").loc[other, "review"] == "keep"
    assert [d.recording for d in files.read(files.path_of("voice", "002"))] == [name]
    assert world.planned(*selections(world)) == {}


def test_a_selection_from_elsewhere_is_fresh_with_its_decisions_and_stale_with_others(world):
    clips = {shard: world.clips(shard)[0] for shard in ("000", "002")}
    for shard, clip in clips.items():
        decide("voice", shard, {clip: ("reject", "")})
    world.snakemake(*selections(world))
    assert reconcile.attest() == []
    for name in (".snakemake", "work"):
        shutil.rmtree(world.root / name)
    for path in [*world.root.glob("data/review/voice/*"), *world.root.glob("data/selection/*/*/*")]:
        os.utime(path, ns=(1, 1) if "selection" in str(path) else None)  # as git and DVC write them
    assert world.planned(*selections(world)) == {}
    decide("voice", "002", {world.clips("002")[1]: ("reject", "")})
    assert world.planned_jobs(*selections(world)) == select_jobs(["002"])
    files.path_of("voice", "000").unlink()
    assert world.planned_jobs(*selections(world)) == select_jobs(["000", "002"])


def test_an_edited_recording_is_not_what_was_listened_to(world):
    clip = world.clips("000")[0]
    decide("voice", "000", {clip: ("reject", "")})
    world.edit(clip, seed=100_000)
    said = world.snakemake(*selections(world)).stderr
    assert "1 decisions of the review are about recordings that are not here as they were" in said
    assert selection(world, "000").loc[clip, ["kept", "review"]].tolist() == [True, ""]
    log = (world.root / "logs/select_segments/spoken.voice.000.log").read_text()
    assert "1 of the review's decisions no longer apply" in log and "reject: its recording was edited" in log
    assert len(files.read(files.path_of("voice", "000"))) == 1, "it is told, not dropped"


def test_a_cut_at_other_times_invalidates_decisions_and_says_so(tmp_path, monkeypatch):
    """With the toy's recordings with faults: real pauses, cut by the voice detector."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPO / "toy/corpus/faults", tmp_path / "toy/corpus/faults")
    (tmp_path / "config").mkdir()
    toy, workspace = yaml.safe_load((REPO / "config/config.yaml").read_text()), Workspace(tmp_path)
    config = {"system": "cut", "corpora": {"faults": toy["corpora"]["faults"]}}
    config["datasets"] = {"faults": toy["datasets"]["faults"]}
    workspace.configure(config)
    target = "data/selection/faults/faults/000.parquet"
    workspace.snakemake(target)
    dropped = tables.selection(tmp_path / target).query("reason == 'clipped_share_high'")["clip"]
    first, second = sorted(dropped)[:2]
    decide("faults", "000", {first: ("keep", ""), second: ("reject", "")})

    def cut(margin_ms):
        config["corpora"]["faults"]["segment"] = {"margin_ms": margin_ms}
        workspace.configure(config)
        workspace.snakemake(target)
        found = tables.selection(tmp_path / target)
        log = (tmp_path / "logs/select_segments/faults.faults.000.log").read_text()
        return found[found["review"] != ""][["kept", "reason", "review"]].values.tolist(), log

    reviewed, log = cut(160)  # each end moves by 10 ms
    assert reviewed == [[True, "", "keep"], [False, "clipped_share_high", "reject"]] and "no longer" not in log
    reviewed, log = cut(250)
    assert reviewed == [] and "2 of the review's decisions no longer apply" in log
    assert log.count("its recording was cut otherwise") == 2
    assert len(files.read(files.path_of("faults", "000"))) == 2
    reviewed, log = cut(150)
    assert len(reviewed) == 2 and "no longer" not in log
