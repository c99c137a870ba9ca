"""A disk on which a process dies, or finds no more space, at a write of one's choice."""

import builtins
import errno
import io
import os
from contextlib import contextmanager
from unittest import mock


class Killed(BaseException):
    """What stands for kill -9: no handler of the code under test may do anything after it."""


class Disk:
    """Counts what changes the disk. At change `die_at` the process dies, half-way through where that was a write; from
    `full_at` on nothing can be written, though deleting works.
    """

    def __init__(self, die_at=None, full_at=None):
        self.die_at, self.full_at, self.changes, self.dead = die_at, full_at, 0, False

    @contextmanager
    def mounted(self):
        """For the length of the block, this process writes to this disk."""
        changing = {name: self._watched(getattr(os, name), grows) for name, grows in CHANGES.items()}
        with mock.patch.multiple(os, **changing), mock.patch("builtins.open", self._open(builtins.open)):
            yield self

    def change(self, grows):
        """Count a change; raises where it must not happen."""
        if self.dead:
            raise Killed
        self.changes += 1
        if self.changes == self.die_at:
            self.dead = True
            raise Killed
        if grows and self.full_at is not None and self.changes >= self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _watched(self, function, grows):
        def watched(*args, **kwargs):
            self.change(grows)
            return function(*args, **kwargs)

        return watched

    def _open(self, real):
        def opened(file, mode="r", *args, **kwargs):
            if "b" not in mode or mode.startswith("r"):
                return real(file, mode, *args, **kwargs)
            self.change(True)
            return _File(self, file, mode)

        return opened


CHANGES = {"replace": True, "rename": True, "link": True, "mkdir": True, "fsync": True, "unlink": False, "rmdir": False}
"""Functions of `os` that change the disk, or make a change durable; whether a full disk refuses them."""


class _File(io.FileIO):
    """Writes without a buffer, so that what a dead process had written is known exactly."""

    def __init__(self, disk, path, mode):
        super().__init__(path, mode)
        self.disk = disk

    def write(self, data):
        try:
            self.disk.change(True)
        except (Killed, OSError):
            if self.disk.changes == self.disk.die_at or not self.disk.dead:
                super().write(bytes(data)[: len(data) // 2])
            raise
        return super().write(data)
