"""One writer at a time for a folder of working state, and none that was given up.

A process takes a folder by writing its token, then waiting for the lock, which the kernel releases at its death. A
predecessor that outlived its workflow (an orphan) finishes under the lock, finds a foreign token, and must not publish.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.progress import log
from kaiku.store import atomic


class Superseded(KaikuError):
    """Another process was started for the same work; this one leaves it to that one."""


class Owner:
    """The right to publish from a folder, for as long as no successor has come."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.token = uuid.uuid4().hex

    def take(self) -> None:
        """Become the owner. No part beside, no fsync: a torn token is nobody's, and no token outlives its process."""
        with open(self.folder / "owner", "wb") as f:
            f.write(self.token.encode())

    def check(self) -> None:
        """Raise Superseded if a successor has taken the folder."""
        if (self.folder / "owner").read_bytes() != self.token.encode():
            raise Superseded(
                f"{self.folder}: a newer process took over this work",
                remedy="Nothing is lost: what was finished here is in its journal. This process publishes nothing.",
            )


@contextmanager
def owning(folder: Path) -> Iterator[Owner]:
    """Own a folder for the length of the block; waits for a predecessor that is still writing there."""
    atomic.make_folder(folder)
    owner = Owner(folder)
    owner.take()
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"waiting for another process that still works in {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(folder / "lock")
        owner.check()
        yield owner
