"""DVC carries what was made to another machine: nothing pulled is planned, nothing stale is hidden, merges are quiet.

A workspace of ten clips in two shards is made, snapshot and pushed once; each test works in clones of it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import remotes
from small_world import REPO, SmallWorld, build, by_rule

CODES = "data/tokens/env/voice/000.npy"
SECONDS = 120
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(REPO),
    "OMP_NUM_THREADS": "1",
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_NAME": "kai" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "kai@example.org" for who in ("AUTHOR", "COMMITTER")},
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
}


def sh(world: SmallWorld, commands: str, *, fails: bool = False) -> str:
    """What literal commands say in a workspace."""
    own = {"cwd": world.root, "env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "text": True}
    done = subprocess.run(
        ["bash", "-ec", commands], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, **own
    )
    assert bool(done.returncode) == fails, f"{commands}: exit {done.returncode}\n{done.stdout[-3000:]}"
    return done.stdout


def snapshot(world: SmallWorld) -> str:
    """A snapshot, and literally what it says to do next."""
    said = sh(world, "python -m workflow_scripts.snapshot")
    sh(world, said.partition("Now:\n")[2])
    return said


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> SmallWorld:
    """The workspace that everybody clones, with a folder as DVC's remote."""
    folder = tmp_path_factory.mktemp("shared")
    world = build(folder / "first", 10, 2)
    world.snakemake(*world.packs)
    sh(world, "git init --quiet -b main && dvc init --quiet && git add plugins")
    (world.root / ".dvc/config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder}/store\n"
    )
    snapshot(world)
    return world


@pytest.fixture
def clone(origin, tmp_path) -> Callable[..., SmallWorld]:
    """A clone, of a hub of the test's own, with the codec's weights, which DVC does not carry; recordings if asked."""
    sh(origin, f"git clone --quiet --bare . {tmp_path}/hub")

    def make(name: str, *, recordings: bool = True) -> SmallWorld:
        world = replace(origin, root=tmp_path / name)
        sh(origin, f"git clone --quiet {tmp_path}/hub {world.root}")
        shutil.copytree(origin.root / "models/given", world.root / "models/given")
        if recordings:
            shutil.copytree(origin.corpus, world.corpus)
        return world

    return make


def test_a_clone_plans_nothing_that_was_pulled(clone, origin):
    """Without recordings; then with them, where one edit costs its shard; and no edit of an artefact is hidden."""
    world = clone("b", recordings=False)
    assert "20 files added" in sh(world, "dvc pull")
    manifests = {path: content for path, content in world.artefacts().items() if "manifests" in path}
    assert world.artefacts() == origin.artefacts()
    assert world.planned(*origin.packs) == {}
    assert {p: c for p, c in world.artefacts().items() if "manifests" in p} == manifests

    shutil.copytree(origin.corpus, world.corpus)
    assert world.planned(*world.packs) == {}
    clip = world.clips("001")[0]
    world.edit(clip, seed=77)
    rules = ("segment_recordings", "transcribe_segments", "measure_segments", "select_segments", "encode_tokens")
    assert by_rule(world.planned_jobs(*world.packs)) == {**dict.fromkeys(sorted(rules), 1), "pack_protos": 1}
    shutil.copy(origin.audio(clip), world.audio(clip))

    codes = world.root / CODES
    before, content = codes.stat(), bytearray(codes.read_bytes())
    content[-1] ^= 1
    codes.write_bytes(content)
    os.utime(codes, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = world.snakemake("--dry-run", *world.packs)
    assert f"{CODES} was modified" in done.stderr and "pack_protos" in done.stdout + done.stderr


def test_a_machine_with_nothing_but_tokens_packs(clone, origin):
    world = clone("tokens", recordings=False)
    assert "6 files added" in sh(world, "dvc pull encode_tokens select_segments")
    assert {path.name for path in (world.root / "data").iterdir()} == {"manifests", "selection", "tokens"}
    assert world.planned(*origin.packs) == {"pack_protos": 2}
    world.snakemake(origin.packs[0])
    packs = [path for path in origin.artefacts() if path.endswith("voice-000.protos")]
    assert len(packs) == 3
    assert [world.artefacts()[path] for path in packs] == [origin.artefacts()[path] for path in packs]


def test_two_snapshots_merge_without_a_conflict(clone):
    """One edits a text, the other changes a threshold: both select the text's shard, and only that is stale then."""
    one, other = clone("one"), clone("other")
    selections = [f"data/selection/spoken/voice/{shard}.parquet" for shard in one.shard_names()]
    sh(other, "python -m workflow_scripts.merge_locks --install")
    for world in (one, other):
        sh(world, "dvc pull transcribe_segments select_segments segment_recordings measure_segments")
    clip = one.clips("000")[0]
    one.say(clip, "toinen teksti")
    one.snakemake(*selections)
    snapshot(one)
    sh(one, "git push --quiet")

    config = other.config
    config["datasets"]["spoken"]["select"]["duration_s"] = [0.2, 0.6]
    other.configure(config)
    other.snakemake(*selections)
    sh(other, "python -m workflow_scripts.snapshot && git commit --quiet --all -m Snapshot")
    said = sh(other, "git pull --quiet --no-rebase --no-edit")
    assert "both changed data/selection/spoken/voice, shard 000: ours is kept" in said
    assert sh(other, "git status --short") == ""
    assert "1 file fetched and 1 file modified" in sh(other, "dvc pull transcribe_segments select_segments")
    other.say(clip, "toinen teksti")
    assert other.planned_jobs(*selections) == ["select_segments/spoken.voice.000"]
    assert sh(other, "git status --short") == ""


@pytest.mark.parametrize("kind", ["folder", "ssh", "s3"])
def test_what_was_cut_off_ends_whole_when_repeated(origin, clone, kind, tmp_path):
    """A push that is killed with some objects sent, and a pull that is killed, or whose connection to sshd breaks."""
    if kind == "ssh" and not Path(remotes.SSHD).exists():
        pytest.skip("there is no sshd on this machine")
    everything = remotes.objects_in(origin.root / ".dvc/cache")
    assert len(everything) >= 20
    with remotes.open_remote(kind, tmp_path / "remote") as remote:
        sender = clone("sender", recordings=False)
        shutil.copytree(origin.root / ".dvc/cache", sender.root / ".dvc/cache")
        (sender.root / ".dvc/config.local").write_text(remote.config)
        _cut_off(sender, "push", remote, tmp_path / "remote")
        assert 0 < len(remote.objects()) < len(everything)
        sh(sender, "dvc push")
        assert remote.objects() == everything
        assert all(_is_whole(name, content) for name, content in everything.items())

        receiver = clone("receiver", recordings=False)
        (receiver.root / ".dvc/config.local").write_text(remote.config)
        _cut_off(receiver, "pull", remote, receiver.root / ".dvc/cache", breaks=kind == "ssh")
        sh(receiver, "dvc pull")
        assert receiver.artefacts() == origin.artefacts()
        assert remotes.objects_in(receiver.root / ".dvc/cache") == everything


def _cut_off(world: SmallWorld, command: str, remote: remotes.Remote, folder: Path, *, breaks: bool = False) -> None:
    """Begin a push or a pull that never ends: where there is no line to fail, it dies as an object reaches `folder`."""
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{world.root}/dying:{REPO}", "DIE_AT": str(folder)}
    (world.root / "dying").mkdir()
    (world.root / "dying/sitecustomize.py").write_text(DYING)
    if remote.line:
        environment.pop("DIE_AT")
        remote.line.fail_after(FAIL_AFTER, breaks=breaks)
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", command, "--jobs", "1"],
        cwd=world.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if remote.line:
        assert remote.line.dead.wait(SECONDS)
        if not breaks:
            process.kill()
    assert process.wait(SECONDS) != 0
    shutil.rmtree(world.root / "dying")
    if remote.line:
        remote.line.mend()


def _is_whole(name: str, content: bytes) -> bool:
    return hashlib.md5(content).hexdigest() == name.removesuffix(".dir")


FAIL_AFTER = 70_000
"""Bytes in both directions after which a line fails: all objects are 96 kB, and protocols add to them."""

DYING = """
import os, signal, sys

arrived = 0

def die(event, arguments):
    global arrived
    if event == "os.rename" and str(arguments[1]).startswith(os.environ.get("DIE_AT", "nowhere")):
        arrived += 1
        if arrived == 5:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""
