"""Whatever is done to a workspace, in whatever order: one more run, and it holds what a clean build holds.

Random edits through Snakemake up to the packs, with runs, dry runs and killed runs between them. KAIKU_SEQUENCES=50
tries as many, KAIKU_FIRST_SEQUENCE=7 begins with a certain one: a sequence follows from its number.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import small_world
from small_world import SmallWorld

FIRST = int(os.environ.get("KAIKU_FIRST_SEQUENCE", 1))
SEQUENCES = int(os.environ.get("KAIKU_SEQUENCES", 1))
EDITS = 4
CLIPS, SHARDS = 12, 2
FEWEST_CLIPS = 6


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> SmallWorld:
    """A small world after a run to the packs."""
    world = small_world.build(tmp_path_factory.mktemp("sequences") / "start", CLIPS, SHARDS)
    world.configure({**world.config, "runs": {}})
    world.snakemake(*world.packs)
    return world


@pytest.mark.parametrize("number", range(FIRST, FIRST + SEQUENCES))
def test_any_sequence_of_edits_ends_as_a_clean_build(start, number, tmp_path):
    world = SmallWorld(tmp_path / "world", start.code, start.shards)
    subprocess.run(["cp", "-a", start.root, world.root], check=True)  # with the hard links between outputs and carry
    rng = random.Random(number)
    history: list[str] = []
    damaged: list[Path] = []
    for _ in range(EDITS):
        history.append(rng.choice(ACTIONS)(world, rng, damaged))
        history.append(rng.choice(BETWEEN)(world, rng))
    for path in damaged:
        path.unlink(missing_ok=True)  # what a user does on finding one; their contents in carry are damaged as well
    told = f"sequence {number}: {'; '.join(filter(None, history))}"

    world.snakemake(*world.packs)
    assert world.planned_jobs(*world.packs) == [], told
    found, expected = world.artefacts(), world.built_anew(tmp_path / "anew").artefacts()
    assert sorted(found) == sorted(expected), told
    assert [path for path in found if found[path] != expected[path]] == [], told
    shutil.rmtree(tmp_path)


# --- what is done


def add(world, rng, damaged):
    world.add(clip := world.free_name(rng.choice(("000", "001"))), rng.randrange(10**6), rng.choice((".wav", ".ogg")))
    return f"add {clip}"


def edit(world, rng, damaged):
    world.edit(clip := rng.choice(world.clips()), rng.randrange(10**6))
    return f"edit {clip}"


def edit_unseen(world, rng, damaged):
    world.edit_unseen(clip := rng.choice([clip for clip in world.clips() if world.audio(clip).suffix == ".wav"]))
    return f"edit {clip} with its mtime put back"


def rename(world, rng, damaged):
    clip, shard = rng.choice(world.clips()), rng.choice(("000", "001"))
    world.rename(clip, name := world.free_name(shard))
    return f"rename {clip} to {name}, shard {world.shard(clip)} to {shard}"


def remove(world, rng, damaged):
    if len(world.clips()) <= FEWEST_CLIPS:
        return add(world, rng, damaged)
    world.remove(clip := rng.choice(world.clips()))
    return f"remove {clip}"


def say(world, rng, damaged):
    world.say(clip := rng.choice(world.clips()), text := rng.choice(("toinen teksti", "kolmas", "")))
    return f"{clip} says {text!r}"


def bound(world, rng, damaged):
    return configure(world, rng, "datasets spoken select duration_s", ([0.2, 5], [0.5, 5], [0.6, 5], [0.65, 0.7]))


def set_segment(world, rng, damaged):
    return configure(world, rng, "corpora voice segment max_s", (15.0, 12.0, 20.0))


def set_check(world, rng, damaged):
    return configure(world, rng, "checks crossings floor", (0.0, 0.01, 0.02))


def configure(world, rng, place, values):
    config = part = world.config
    *names, last = place.split()
    for name in names:
        part = part.setdefault(name, {})
    part[last] = rng.choice(values)
    world.configure(config)
    return f"{place} = {part[last]}"


def replace_weights(world, rng, damaged):
    half, seed = rng.choice(("encoder", "encoder", "decoder")), rng.randrange(3)
    small_world.write_codec(world.root / "other", seed)
    (world.root / f"other/{half}.safetensors").replace(world.root / f"models/given/env/{half}.safetensors")
    return f"{half} weights {seed}"


def delete(world, rng, damaged):
    path = rng.choice(outputs(world))
    path.unlink(missing_ok=True)
    return f"delete {path.relative_to(world.root)}"


def damage(world, rng, damaged):
    """Flip a byte in place: an output is a hard link, so the same byte in the carry folder."""
    path = rng.choice(outputs(world))
    content = bytearray(path.read_bytes())
    if not content:
        return delete(world, rng, damaged)
    at = rng.randrange(len(content))
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes([content[at] ^ 0xFF]))
    damaged.append(path)
    return f"damage byte {at} of {path.relative_to(world.root)}"


def outputs(world) -> list[Path]:
    folders = [world.root / "data" / name for name in small_world.ARTEFACTS if name != "manifests"]
    return sorted(path for folder in folders for path in folder.rglob("[!.]*") if path.is_file())


ACTIONS = (add, edit, edit_unseen, rename, remove, say, bound, set_segment, set_check, replace_weights, delete, damage)


# --- what happens between


def go_on(world, rng):
    return ""


def plan(world, rng):
    world.snakemake("--dry-run", *world.packs, check=False)
    return "dry run"


def run(world, rng):
    status = world.snakemake(*world.packs, check=False).returncode  # a damaged file may stop a job
    return "run" if status == 0 else f"run that failed ({status})"


def kill(world, rng):
    """A run that dies by kill -9 after some jobs; half the time its jobs live on as orphans."""
    jobs, alone = rng.randrange(8), rng.random() < 0.5
    before = finished(world)
    call = world.call(*world.packs)
    process = subprocess.Popen(**call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and len(finished(world) - before) < jobs:
        time.sleep(0.02)
    time.sleep(rng.random())
    if process.poll() is None:
        (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
    process.wait()
    return f"run killed after {jobs} jobs" + (", its jobs left alone" if alone else "")


def finished(world) -> set[tuple[str, int]]:
    """Jobs that ended well, each time anew."""
    return {(path.name, path.stat().st_mtime_ns) for path in (world.root / "logs").glob("*/*.counts.json")}


BETWEEN = (go_on, plan, run, kill)
