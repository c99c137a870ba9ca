"""Ending runs: a stand-in for Snakemake that holds the lock, above a shell, a program and the program's helper."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kaiku.errors import KaikuError
from kaiku.workspace import lock, stop
from workflow_scripts import stop_run

REPO = Path(__file__).parents[2]

RUN = """
import signal, subprocess, sys
from pathlib import Path
from kaiku.workspace import lock
assert lock.acquire(Path("work/run.lock"))
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
signal.signal(signal.SIGINT, signal.default_int_handler)
jobs = [subprocess.Popen(["bash", "-c", command + "; exit $?"]) for command in sys.argv[1:]]
print("started", flush=True)
codes = [job.wait() for job in jobs]
try:
    while not jobs:
        signal.pause()
except KeyboardInterrupt:
    codes = ["interrupted"]
print("ended", *codes, flush=True)
"""

TRAINS = """
import os, signal, sys, time
from pathlib import Path
helper = os.fork()
me = "helper" if helper == 0 else "program"
def save(*_):
    Path(me).write_text("asked")
    if me == "program":
        os.kill(helper, signal.SIGKILL)
        sys.exit(75)
signal.signal(signal.SIGTERM, save)
Path(f"{me}.ready").touch()
while True:
    time.sleep(0.01)
"""

REFUSES = """
import signal, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path("program.ready").touch()
time.sleep(600)
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace whose programs are `trains` and `refuses`."""
    programs = tmp_path / "workflow_scripts"
    programs.mkdir()
    (programs / "__init__.py").touch()
    (programs / "trains.py").write_text(TRAINS)
    (programs / "refuses.py").write_text(REFUSES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stop, "POLL_S", 0.02)
    return tmp_path


@pytest.fixture
def start(workspace):
    """Start a run with jobs of some programs; all of it is gone after the test."""
    runs = []

    def started(*programs: str) -> subprocess.Popen:
        for ready in workspace.glob("*.ready"):
            ready.unlink()
        commands = [f"{sys.executable} -m workflow_scripts.{program}" for program in programs]
        environment = {**os.environ, "PYTHONPATH": f"{workspace}:{REPO}"}
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, *commands], stdout=subprocess.PIPE, text=True, env=environment
        )
        runs.append((run, []))
        assert run.stdout.readline() == "started\n"
        wait_for(lambda: (workspace / "program.ready").exists() or not programs)
        wait_for(lambda: (workspace / "helper.ready").exists() or "trains" not in programs)
        runs[-1][1].extend(psutil.Process(run.pid).children(recursive=True))
        return run

    yield started
    for run, below in runs:
        for process in below:
            if process.is_running():
                process.kill()
        run.kill()
        run.wait()
        run.stdout.close()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_the_lock_says_who_holds_it(start):
    path = Path("work/run.lock")
    assert lock.holder(path) is None
    run = start()
    process = psutil.Process(run.pid)
    held = lock.holder(path)
    assert (held.pid, held.group, held.started) == (run.pid, os.getpgid(run.pid), process.create_time())
    assert not _acquired(path) and lock.holder(path) == held, "who is refused takes no name away"
    run.kill()
    run.wait()
    assert lock.holder(path) is None


def _acquired(path: Path) -> bool:
    command = [sys.executable, "-c", "import sys; from kaiku.workspace import lock; lock.PATIENCE_S = 0; "]
    command[-1] += f"from pathlib import Path; sys.exit(not lock.acquire(Path({str(path)!r})))"
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPO)}).returncode == 0


def test_snakemake_and_programs_are_asked_and_nobody_else(start, workspace):
    run = start("trains")
    ended = stop.stop(Path("work/run.lock"), patience_s=60)
    assert ended.run.pid == run.pid and [program.name for program in ended.programs] == ["trains"]
    said, _ = run.communicate()
    assert said.split("\n")[:2] == ["asked", "ended 75"], "the shell lived on, and passed the exit code on"
    assert (workspace / "program").exists() and not (workspace / "helper").exists()


def test_who_waits_without_a_program_is_interrupted(start, monkeypatch):
    monkeypatch.setattr(stop, "IDLE_S", 0.2)
    run = start()
    ended = stop.stop(Path("work/run.lock"), patience_s=60)
    assert ended.programs == ()
    assert run.communicate()[0] == "asked\nended interrupted\n"


def test_patience_ends_with_the_names_of_those_who_work(start, workspace):
    run = start("refuses")
    with pytest.raises(KaikuError, match=r"refuses \(process \d+\).*kill -KILL") as error:
        stop.stop(Path("work/run.lock"), patience_s=0.3)
    assert f"kill -KILL {run.pid} " in str(error.value)
    run.kill()
    run.wait()
    assert lock.holder(Path("work/run.lock")) is None, "no job inherits the lock"
    assert [program.name for program in stop.left_behind(workspace)] == ["refuses"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"host": "node7"}, r"process \d+ on node7; .*ssh node7"),
        ({"started": 1.0}, "is not the one that took it"),
        ({"pid": 2**22 + 1}, "is not the one that took it"),
    ],
)
def test_a_process_that_is_not_the_run_is_left_alone(start, changed, words):
    run = start()
    path = Path("work/run.lock")
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(KaikuError, match=words):
        stop.stop(path, patience_s=60)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    assert run.communicate()[0] == "ended interrupted\n", "no signal came before"


def test_the_program_tells_what_became_of_it(start, workspace, capsys):
    assert stop_run.main(["--directory", str(workspace)]) == 0
    assert capsys.readouterr().out == "No run is working in this workspace.\n"
    run = start("trains")
    assert stop_run.main(["--directory", str(workspace)]) == 0
    assert f"The run has ended (process {run.pid}; trains (process " in capsys.readouterr().out
    start("refuses")
    assert stop_run.main(["--patience", "0.2"]) == 1
    assert "error: the run has not ended 0.2 s after" in capsys.readouterr().err
