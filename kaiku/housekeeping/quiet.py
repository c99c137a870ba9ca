"""House-keeping needs a quiet workspace: no run, and no job that outlived its run."""

from pathlib import Path

import psutil

from kaiku.errors import KaikuError
from kaiku.workspace import lock
from kaiku.workspace.stop import left_behind

RUN_LOCK = Path("work/run.lock")


def take_workspace() -> None:
    """Hold the lock of the current workspace for the life of this process. KaikuError where anything works in it."""
    if not lock.acquire(RUN_LOCK):
        by = lock.holder(RUN_LOCK)
        raise KaikuError(
            f"a run is working in this workspace{f' (process {by.pid} on {by.host})' if by else ''}",
            remedy="Wait for it or `make stop`, then call again.",
        )
    above = {process.pid for process in psutil.Process().parents()}  # `time` has this program's name in its own call
    for program in left_behind(Path()):
        if program.process.pid not in above:
            raise KaikuError(
                f"an earlier run left {program} behind, which still works here",
                remedy=f"Wait for it, or `kill {program.process.pid}`, then call again.",
            )
