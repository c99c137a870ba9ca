import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kaiku.workspace import lock

HOLDER = """
import sys
from pathlib import Path
from kaiku.workspace import lock
assert lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the workspace's lock until it dies."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "work" / "run.lock")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(autouse=True)
def let_go(monkeypatch):
    held = {}
    monkeypatch.setattr(lock, "_held", held)
    yield
    for file in held.values():
        file.close()


def test_a_free_workspace_is_taken_and_stays_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lock.acquire(Path("work/run.lock"))
    assert lock.acquire(tmp_path / "work" / "run.lock"), "the same workspace under another name"
    assert len(lock._held) == 1


def test_a_busy_workspace_is_refused_and_free_once_its_run_was_killed(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)
    path = tmp_path / "work" / "run.lock"
    assert not lock.acquire(path)
    assert not lock.acquire(path)
    holder.send_signal(signal.SIGKILL)
    assert holder.wait() == -signal.SIGKILL
    assert lock.acquire(path)


def test_a_start_waits_for_one_that_is_short(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(lock.time, "sleep", lambda _: (holder.kill(), holder.wait()))
    assert lock.acquire(tmp_path / "work" / "run.lock")


def test_a_program_that_is_started_does_not_inherit_the_lock(tmp_path, monkeypatch):
    path = tmp_path / "run.lock"
    assert lock.acquire(path)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    lock._held.pop(path).close()
    assert lock.acquire(path)
    child.communicate()
