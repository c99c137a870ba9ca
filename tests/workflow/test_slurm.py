"""The workflow on a SLURM of one node: every stage a job, the same bytes as on one box, training outlives its job.

Run by `make slurm` alone: it takes minutes, most of them spent in starting Snakemake twice a job and in waiting for
status checks. It needs SLURM and munge (Debian: slurm-wlm, slurmctld, slurmd, munge) and the rights to start them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from one_node_slurm import GPU, Job, OneNodeSlurm, missing_programs, one_node_slurm
from small_world import REPO, SmallWorld, build, by_rule

TIMEOUT_S = 1500
pytestmark = [
    pytest.mark.skipif(not os.environ.get("KAIKU_SLURM"), reason="takes minutes; `make slurm` runs it"),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {', '.join(missing_programs())}"),
    pytest.mark.timeout(2 * TIMEOUT_S),
]

SOON = ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
"""Jobs of minutes are asked for after 40 s at first."""
STEPS = 600


@pytest.fixture(scope="module")
def slurm() -> Iterator[OneNodeSlurm]:
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # sockets have short paths
    try:
        with one_node_slurm(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> SmallWorld:
    """A workspace with the repository's links to its profiles."""
    built = build(tmp_path_factory.mktemp("cluster"), clips=10, shards=2)
    for name in ("gpu", "slurm"):
        (built.root / name).symlink_to(REPO / name)
    return built


@pytest.fixture(scope="module")
def one_box(world, tmp_path_factory) -> SmallWorld:
    """The same up to the packs, made without SLURM, and to be trained for longer."""
    anew = world.built_anew(tmp_path_factory.mktemp("box"))
    anew.configure(trained_for_longer(anew.config))
    return anew


def test_every_stage_is_a_slurm_job(world, one_box, slurm):
    expected = by_rule(world.planned_jobs())
    with calling(world, slurm, "--profile", "slurm", "--slurm-keep-successful-logs") as call:
        wait_until(lambda: slurm.jobs(), call)
        world.add("late", seed=77)  # a scan inside a job would find it
        assert call.wait(TIMEOUT_S) == 0, said(world)
    jobs = slurm.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert Counter(rule_of(job) for job in jobs) == expected
    assert {(rule_of(job), job.gpus) for job in jobs if job.gpus} == {("train_model", "gres:gpu:1")}
    assert f"on GPU {GPU}" in (world.root / "logs/train_model/tiny.log").read_text()
    own_logs = [path.read_text() for path in (world.root / "logs/slurm").rglob("*.log")]
    assert len(own_logs) == len(jobs) and not any("system small" in text for text in own_logs)
    assert said(world).count("system small") == 1
    world.remove("late")
    assert world.planned() == {}
    assert world.artefacts() == one_box.artefacts()


def test_training_goes_on_after_scancel_and_requeue(world, one_box, slurm):
    world.configure(trained_for_longer(world.config))
    literal = ("--profile", "gpu", "--executor", "slurm")
    with calling(world, slurm, *literal, "models/tiny/checkpoints") as call:
        wait_until(lambda: steps_done(world) > 20, call)
        assert "snakemake" in parent_of("workflow_scripts.train_model", world)  # a shell would not wait until it saved
        slurm.call("scancel", training(slurm).id)
        assert call.wait(TIMEOUT_S) != 0
    assert "SIGTERM received: saving" in (world.root / "logs/train_model/tiny.log").read_text()
    cancelled_at = steps_done(world)
    assert 20 < cancelled_at < STEPS and saved_at(world) == cancelled_at

    with calling(world, slurm, *literal, "models/tiny/checkpoints") as call:
        wait_until(lambda: steps_done(world) > cancelled_at + 20, call)
        requeued = training(slurm)
        slurm.call("scontrol", "requeue", requeued.id)
        assert call.wait(TIMEOUT_S) == 0, said(world)
    last = slurm.jobs()[-1]
    assert (last.id, last.state, last.restarts) == (requeued.id, "COMPLETED", 1)
    continued = (world.root / "logs/train_model/tiny.log").read_text().split("continuing after step ")[1]
    assert cancelled_at < int(continued.split()[0]) < STEPS

    one_box.snakemake("models/tiny/checkpoints")
    assert len(history(world)) == STEPS and history(world) == history(one_box)
    assert weights(world) == weights(one_box)


def trained_for_longer(config: dict) -> dict:
    config["runs"]["tiny"]["train"] |= {"max_steps": STEPS, "eval_every": 200, "save_every": 200}
    return config


@contextmanager
def calling(world: SmallWorld, slurm: OneNodeSlurm, *arguments: str) -> Iterator[subprocess.Popen]:
    """Snakemake in the workspace, as a user of a cluster calls it; what it says goes into a file."""
    environment = slurm.environment | world.call()["env"] | {"PATH": slurm.environment["PATH"]}
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile"), *arguments, *SOON]
    with open(world.root / "said.log", "wb") as out:
        call = subprocess.Popen(
            command, cwd=world.root, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield call
    finally:
        call.kill()
        call.wait()


def said(world: SmallWorld) -> str:
    return (world.root / "said.log").read_text()


def wait_until(reached: Callable[[], object], call: subprocess.Popen) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not reached():
        assert call.poll() is None and time.monotonic() < deadline, "Snakemake ended, or too long a wait"
        time.sleep(0.2)


def rule_of(job: Job) -> str:
    return job.rule.partition("_wildcards_")[0]


def training(slurm: OneNodeSlurm) -> Job:
    return next(job for job in slurm.jobs() if rule_of(job) == "train_model" and job.state == "RUNNING")


def parent_of(program: str, world: SmallWorld) -> list[str]:
    """Command of the process that started a program in a workspace."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if program in (process.info["cmdline"] or ()) and process.info["cwd"] == str(world.root)
    ]
    assert len(found) == 1
    return found[0].parent().cmdline()


def steps_done(world: SmallWorld) -> int:
    path = world.root / "work/runs/tiny/current/curve.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def saved_at(world: SmallWorld) -> int:
    return max(
        int(path.name.removeprefix("step_")) for path in (world.root / "work/runs/tiny/current/resume").iterdir()
    )


def history(world: SmallWorld) -> list[str]:
    """The curve of a published training, a line a step."""
    return (world.root / "models/tiny/checkpoints/curve.jsonl").read_text().splitlines()


def weights(world: SmallWorld) -> dict[str, bytes]:
    root = world.root / "models/tiny/checkpoints"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("step_*/*.safetensors"))}
