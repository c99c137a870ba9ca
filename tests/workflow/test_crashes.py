"""Runs that end badly: each loses the clip it had in hand and nothing else, and the next literal call goes on.

One workspace dies many deaths in the order of this file. A check of its own holds a shard's job at one clip until the
test lets it go, so that each death comes at a known clip.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from small_world import SmallWorld, build

from kaiku.workspace import lock
from kaiku.workspace.stop import programs

SHARD = "000"
OTHER = "data/measures/voice/001.parquet"
HELD = f"data/measures/voice/{SHARD}.parquet"
CARRY = f"work/carry/measure/voice/{SHARD}"
LOG = f"logs/measure_segments/voice.{SHARD}.log"
PATIENCE_S = 120

GATE = '''"""Measures nothing, and waits for leave to do so."""

import time
from pathlib import Path

from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {"samples": "number of samples."}
GATE = Path("gate")


class Settings(Strict):
    """Nothing to set."""


def measure(clip, settings):
    samples = len(clip.samples)
    with open(GATE / "measured", "a") as measured:
        measured.write(f"{samples}\\n")
    while not (GATE / "open").exists() and not (GATE / str(samples)).exists():
        time.sleep(0.02)
    return {"samples": float(samples)}
'''


class Run:
    """A call of Snakemake in a process group of its own, whose job is held at a clip."""

    groups: ClassVar[list[int]] = []

    def __init__(self, world: SmallWorld, *targets: str):
        self.world = world
        self._before = len(measured(world))
        with open(world.root / "snakemake.log", "w") as log:
            self.process = subprocess.Popen(
                **world.call(*targets),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=hear_signals,
            )
        self.groups.append(self.process.pid)

    def hold(self, clips: int = 1) -> list[int]:
        """Wait until this call has its job wait at the clip of this number, letting go of those before; all of them."""
        for number in range(1, clips + 1):
            until(lambda number=number: len(self.measured()) >= number, self)
            if number < clips:
                let_go(self.world, self.measured()[-1])
        return self.measured()

    def measured(self) -> list[int]:
        """The clips that were measured since this call."""
        return measured(self.world)[self._before :]

    def job(self) -> psutil.Process:
        found = {program.name: program.process for program in programs(psutil.Process(self.process.pid))}
        return found["measure_segments"]

    def signal_group(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def said(self) -> str:
        return (self.world.root / "snakemake.log").read_text()


def hear_signals() -> None:
    """Signals that a script's `&` or `nohup` has ignored are heard again."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def until(condition: Callable, run: Run | None = None):
    """The first value of a condition that is true; a run, if one is named, must not end before."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := condition():
            return value
        assert run is None or run.process.poll() is None, run.said()
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def measured(world: SmallWorld) -> list[int]:
    """The clips that the check has been given, by their number of samples, in order."""
    path = world.root / "gate/measured"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def let_go(world: SmallWorld, clip: int | str) -> None:
    (world.root / "gate" / str(clip)).touch()


def let_all_go(world: SmallWorld, job: psutil.Process) -> None:
    """Let a job go on clip by clip to its end."""
    until(lambda: let_go(world, measured(world)[-1]) or has_ended(job))


def has_ended(job: psutil.Process) -> bool:
    return not job.is_running() or job.status() == psutil.STATUS_ZOMBIE


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """What stands in a workspace, but Snakemake's logs and its notes of a dry run: path -> (inode, time)."""
    files = (p for p in root.rglob("*") if p.is_file() and not {"log", "iocache"} & {*p.parts})
    return {p.relative_to(root).as_posix(): (p.stat().st_ino, p.stat().st_mtime_ns) for p in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> SmallWorld:
    """A whole run up to the packs, and beside it, in `disturbed`, the workspace as it was before any measure."""
    world = build(tmp_path_factory.mktemp("crashes") / "undisturbed", clips=20, shards=2)
    (world.root / "plugins/checks/gate.py").write_text(GATE)
    (world.root / "gate").mkdir()
    world.configure({**world.config, "checks": {"gate": {}}, "runs": {}})
    tokens = [f"data/tokens/env/voice/{shard}.parquet" for shard in world.shard_names()]
    transcripts = [f"data/transcripts/given/voice/{shard}.parquet" for shard in world.shard_names()]
    world.snakemake(*tokens, *transcripts)
    shutil.copytree(world.root, world.root.with_name("disturbed"))
    let_go(world, "open")
    world.snakemake(*world.packs)
    return world


@pytest.fixture(scope="module")
def world(undisturbed) -> SmallWorld:
    return SmallWorld(undisturbed.root.with_name("disturbed"), undisturbed.code, undisturbed.shards)


def test_a_snakemake_that_is_terminated_alone_lets_its_job_finish(world):
    run = Run(world, OTHER)
    run.hold()
    job = run.job()
    run.process.terminate()
    until(lambda: "Will exit after finishing currently running jobs" in run.said(), run)
    let_all_go(world, job)
    assert run.wait() == 1
    assert world.planned(OTHER) == {}
    assert world.counts("measure_segments")["voice.001"]["computed"] == len(world.clips("001"))


def interrupted(run: Run) -> None:
    run.signal_group(signal.SIGINT)


def terminated(run: Run) -> None:
    run.signal_group(signal.SIGTERM)


def hung_up(run: Run) -> None:
    run.signal_group(signal.SIGHUP)


def killed(run: Run) -> None:
    run.signal_group(signal.SIGKILL)


def job_killed(run: Run) -> None:
    run.job().kill()


def interrupted_twice(run: Run) -> None:
    """The second interrupt, or one soon after it, makes Snakemake leave its job behind."""
    job = run.job()
    run.process.send_signal(signal.SIGINT)
    until(lambda: "Terminating processes on user request" in run.said(), run)
    while run.process.poll() is None:
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert not has_ended(job) and lock.holder(run.world.root / "work/run.lock") is None
    job.kill()


def stopped(run: Run) -> None:
    """By `make stop`."""
    call = run.world.call()
    command = [sys.executable, "-m", "workflow_scripts.stop_run", "--directory", str(run.world.root)]
    done = subprocess.run(command, env=call["env"], capture_output=True, text=True, check=True)
    assert f"The run has ended (process {run.process.pid}; measure_segments (process " in done.stdout
    assert run.process.poll() == 1, "over by the time that it is said to be"
    assert not list((run.world.root / ".snakemake/incomplete").iterdir()), "ended as a failed job, in good order"


DEATHS = [interrupted, terminated, hung_up, killed, job_killed, interrupted_twice, stopped]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
def test_a_death_loses_the_clip_in_hand(world, death, in_hand):
    run = Run(world, *world.packs)
    clips = run.hold(2)
    death(run)
    assert run.wait() != 0
    assert run.measured() == clips
    assert clips[0] == (in_hand or clips[:1])[-1], "the call went on with the clip that was lost"
    in_hand.append(clips[1])


@pytest.fixture(autouse=True)
def no_survivors():
    """Whatever a test that failed left behind ends with it."""
    yield
    for group in Run.groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    Run.groups.clear()


@pytest.fixture(scope="module")
def in_hand() -> list[int]:
    """The clips that were in hand at each death, in order."""
    return []


def test_a_busy_workspace_takes_dry_runs_and_no_second_run(world, in_hand):
    run = Run(world, *world.packs)
    run.hold()
    until(lambda: len(list(programs(psutil.Process(run.process.pid)))) == 1, run)
    before = tree(world.root)
    assert world.planned(*world.packs)["measure_segments"] == 1
    assert tree(world.root) == before
    second = world.snakemake(*world.packs, check=False)
    assert second.returncode != 0
    assert "Another run is working in this workspace" in second.stderr and "Traceback" not in second.stderr
    assert tree(world.root) == before
    run.signal_group(signal.SIGKILL)
    run.wait()
    in_hand.append(in_hand[-1])


def test_what_an_orphan_finishes_is_kept_and_not_published(world):
    run = Run(world, *world.packs)
    run.hold()
    orphan, log = run.job(), world.root / LOG
    run.process.kill()
    run.wait()
    successor = Run(world, *world.packs)
    until(lambda: log.exists() and "waiting for another process" in log.read_text(errors="replace"), successor)
    assert successor.measured() == []
    successor.signal_group(signal.SIGKILL)
    successor.wait()
    let_all_go(world, orphan)
    assert not (world.root / HELD).exists() or not (world.root / HELD).stat().st_size
    assert not list((world.root / CARRY).glob("g*")) and (world.root / CARRY / "journal").stat().st_size


def test_after_all_deaths_everything_is_as_if_there_had_been_none(world, undisturbed, in_hand):
    assert len(in_hand) == len(DEATHS) + 1
    times = Counter(measured(undisturbed)) + Counter(in_hand)
    world.snakemake(*world.packs)
    assert Counter(measured(world)) == times, "each clip once, and once more for each time that it was in hand"
    counts = world.counts("measure_segments")[f"voice.{SHARD}"]
    assert (counts["computed"], counts["reused"]) == (0, len(world.clips(SHARD)))
    assert world.artefacts() == undisturbed.artefacts()
    assert world.planned(*world.packs) == {}
