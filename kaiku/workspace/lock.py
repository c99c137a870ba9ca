"""One run at a time in a workspace, by a lock that the kernel releases when its process dies, however it dies."""

import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from kaiku.errors import KaikuError

_held: dict[Path, IO] = {}
PATIENCE_S = 3.0
"""How long a start waits for another one: a dry run holds the lock only while it plans."""
_UNWRITTEN_S = 1.0
"""How long a lock may be held before its holder has written who it is."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a workspace's lock; started: seconds since 1970."""

    pid: int
    group: int
    started: float
    host: str

    @classmethod
    def this_process(cls) -> "Holder":
        return cls(os.getpid(), os.getpgrp(), psutil.Process().create_time(), socket.gethostname())


def acquire(path: Path) -> bool:
    """Take the workspace's lock for the life of this process; False where another process holds it."""
    path = path.resolve()
    if path in _held:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+")  # noqa: SIM115 - held for the life of the process; not "w": it names another holder
    deadline = time.monotonic() + PATIENCE_S
    while not _taken(file, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            file.close()
            return False
        time.sleep(0.1)
    file.truncate(0)
    file.write(json.dumps(asdict(Holder.this_process())))
    file.flush()
    _held[path] = file
    return True


def holder(path: Path) -> Holder | None:
    """Who holds the workspace's lock, None where nobody does. KaikuError where the file does not say."""
    deadline = time.monotonic() + _UNWRITTEN_S
    while not _is_free(path):
        try:
            return Holder(**json.loads(path.read_text()))
        except ValueError:
            if time.monotonic() > deadline:
                raise KaikuError(
                    f"{path} is held, and does not say by whom",
                    expected="process, group, start time and host",
                    remedy=f"`fuser {path}` names the process.",
                ) from None
            time.sleep(0.05)
    return None


def _is_free(path: Path) -> bool:
    if not path.exists():
        return True
    with open(path) as file:
        return _taken(file, fcntl.LOCK_SH)  # let go when the file is closed


def _taken(file: IO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
