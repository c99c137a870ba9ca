"""One run at a time in a workspace, by a lock that the kernel releases when its process dies, however it dies."""

import fcntl
import time
from pathlib import Path

_held: dict[Path, object] = {}
PATIENCE_S = 3.0
"""How long a start waits for another one: a dry run holds the lock only while it plans."""


def acquire(path: Path) -> bool:
    """Take the workspace's lock for the life of this process; False where another process holds it."""
    path = path.resolve()
    if path in _held:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "w")  # noqa: SIM115 - held for the life of the process
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                return False
            time.sleep(0.1)
        else:
            _held[path] = file
            return True
