"""A disk on which a process dies, is held up, finds no more space, or loses its power, at a change of one's choice."""

import builtins
import errno
import fcntl
import io
import os
import stat
import threading
from contextlib import contextmanager
from pathlib import Path
from unittest import mock


class Killed(BaseException):
    """What stands for kill -9: no handler of the code under test may do anything after it."""


class Disk:
    """Counts what one thread changes on the disk.

    At change `die_at` the process dies, half-way through where that was a write. At change `pause_at`, counted from the
    first lock it asks for, it is held up while `pause()` runs. From `full_at` on nothing can be written, though it can
    be deleted. With `cache`, what was not synced is only in memory.
    """

    def __init__(self, die_at=None, full_at=None, pause_at=None, pause=None, cache=None):
        self.die_at, self.full_at, self.pause_at, self.pause = die_at, full_at, pause_at, pause
        self.cache = cache or NoCache()
        self.changes, self.since_lock, self.dead = 0, None, False

    @contextmanager
    def mounted(self):
        """For the length of the block, this thread writes to this disk."""
        self.thread = threading.get_ident()
        changing = {name: self._watched(name, getattr(os, name), grows) for name, grows in CHANGES.items()}
        opening = mock.patch("builtins.open", self._open(builtins.open))
        locking = mock.patch.object(fcntl, "flock", self._watched("flock", fcntl.flock, False))
        with mock.patch.multiple(os, **changing), opening, locking:
            yield self

    def change(self, grows):
        """Count a change; raises where it must not happen."""
        if self.dead:
            raise Killed
        self.changes += 1
        if self.changes == self.die_at:
            self.dead = True
            raise Killed
        if self.since_lock is not None:
            self.since_lock += 1
            if self.since_lock == self.pause_at:
                self.pause()
        if grows and self.full_at is not None and self.changes >= self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _watched(self, name, function, grows):
        def watched(*args, **kwargs):
            if threading.get_ident() != self.thread:
                return function(*args, **kwargs)
            if name == "flock" and self.since_lock is None:
                self.since_lock = 0
            self.change(grows)
            return getattr(self.cache, name)(function, *args, **kwargs)

        return watched

    def _open(self, real):
        def opened(file, mode="r", *args, **kwargs):
            if "b" not in mode or mode.startswith("r") or threading.get_ident() != self.thread:
                return real(file, mode, *args, **kwargs)
            self.change(True)
            return _File(self, file, mode)

        return opened


CHANGES = {"replace": True, "rename": True, "link": True, "mkdir": True, "fsync": True, "unlink": False, "rmdir": False}
"""Functions of `os` that change the disk, or make a change durable; whether a full disk refuses them."""


class _File(io.FileIO):
    """Writes without a buffer, so that what a dead process had written is known exactly."""

    def __init__(self, disk, path, mode):
        self.disk, there = disk, os.path.exists(path)
        if there:
            disk.cache.reopened(path, "w" in mode)
        super().__init__(path, mode)
        if not there:
            disk.cache.made(path)

    def write(self, data):
        data = bytes(data)
        try:
            self.disk.change(True)
        except (Killed, OSError):
            if self.disk.changes == self.disk.die_at or not self.disk.dead:
                self._write(data[: len(data) // 2])
            raise
        return self._write(data)

    def truncate(self, size=None):
        self.disk.cache.wrote(self.fileno(), self.tell() if size is None else size, None)
        return super().truncate(size)

    def _write(self, data):
        at = os.fstat(self.fileno()).st_size if "a" in self.mode else self.tell()
        self.disk.cache.wrote(self.fileno(), at, data)
        return super().write(data)


class NoCache:
    """Of a disk that loses nothing."""

    def made(self, *_):
        pass

    reopened = wrote = made

    def __getattr__(self, name):
        return lambda function, *args, **kwargs: function(*args, **kwargs)


class Cache:
    """What under `root` is in memory only: writes whose file was not synced, names whose folder was not.

    `lose` is a power cut. Each of these changes may be lost, whatever became of those before and after it; a rename is
    one change. What stood on the disk when the cache was made is durable.
    """

    def __init__(self, root):
        self.root, self.numbers = root, {}
        self.durable = {}  # number -> bytes of a file, or {name: number} of a folder
        self.writes = {}  # number -> [(offset, bytes, or None for a truncation)], in order
        self.names = []  # [(folder's number, name, number or None)], in order; what one change did, together
        self._known(root)

    def lose(self, is_lost):
        """Cut the power: of each change that was not synced, is_lost() tells whether it is lost."""
        folders = {number: dict(names) for number, names in self.durable.items() if isinstance(names, dict)}
        for change in self.names:
            if not is_lost():
                _apply(change, folders)
        for entry in os.scandir(self.root):
            _remove(entry)
        self._restore(self.root, self.numbers[_inode(self.root)], folders, {}, is_lost)

    def made(self, path):
        self.names.append([(*self._place(path), self._new(path, b""))])

    def reopened(self, path, emptied):
        number = self._known(path)
        if emptied:
            self.writes.setdefault(number, []).append((0, None))

    def wrote(self, fd, at, data):
        self.writes.setdefault(self.numbers[os.fstat(fd).st_ino], []).append((at, data))

    def replace(self, function, source, target):
        if os.path.exists(target) and os.path.samefile(source, target):
            return function(source, target)  # rename(2) does nothing then
        number, (folder, name), (below, target_name) = self._known(source), self._place(source), self._place(target)
        assert folder == below, "a rename from folder to folder would need both to be synced"
        function(source, target)
        self.names.append([(folder, name, None), (folder, target_name, number)])

    rename = replace

    def link(self, function, source, target):
        number = self._known(source)
        function(source, target)
        self.names.append([(*self._place(target), number)])

    def mkdir(self, function, path, mode=0o777):
        function(path, mode)
        self.names.append([(*self._place(path), self._new(path, {}))])

    def unlink(self, function, path, *, dir_fd=None):
        found = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        function(path, dir_fd=dir_fd)
        if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
            self.numbers.pop(found.st_ino, None)  # the next file may get it
        self.names.append([(*self._place(path, dir_fd), None)])

    rmdir = unlink

    def fsync(self, function, fd):
        function(fd)
        number = self.numbers[os.fstat(fd).st_ino]
        if isinstance(self.durable[number], bytes):
            self.durable[number] = self._content(number, lambda: False)
            self.writes.pop(number, None)
        else:
            synced = [change for change in self.names if change[0][0] == number]
            self.names = [change for change in self.names if change[0][0] != number]
            for change in synced:
                _apply(change, self.durable)

    def flock(self, function, fd, operation):
        return function(fd, operation)

    def _content(self, number, is_lost):
        content = bytearray(self.durable[number])
        for at, data in self.writes.get(number, ()):
            if data is None:
                content = content if is_lost() else content[:at]
            elif not is_lost():
                content.extend(bytes(max(0, at + len(data) - len(content))))
                content[at : at + len(data)] = data
            elif not is_lost():  # of this write the new size alone stayed
                content.extend(bytes(max(0, at + len(data) - len(content))))
        return bytes(content)

    def _restore(self, path, number, folders, files, is_lost):
        for name, entry in folders[number].items():
            below = path / name
            if entry in folders:
                below.mkdir()
                self._restore(below, entry, folders, files, is_lost)
            elif entry in files:
                os.link(files[entry], below)
            else:
                below.write_bytes(self._content(entry, is_lost))
                files[entry] = below

    def _known(self, path):
        """Number of what stands there; what was not made through the disk counts as durable."""
        found = os.stat(path, follow_symlinks=False)
        if found.st_ino in self.numbers:
            return self.numbers[found.st_ino]
        if not stat.S_ISDIR(found.st_mode):
            return self._new(path, Path(path).read_bytes())
        number = self._new(path, {})
        self.durable[number] = {entry.name: self._known(entry.path) for entry in os.scandir(path)}
        return number

    def _new(self, path, content):
        number = len(self.durable)
        self.durable[number] = content
        self.numbers[_inode(path)] = number
        return number

    def _place(self, path, dir_fd=None):
        folder = os.fstat(dir_fd).st_ino if dir_fd is not None else _inode(Path(path).parent)
        return self.numbers[folder], os.path.basename(path)


def _apply(change, folders):
    for folder, name, number in change:
        if number is None:
            folders[folder].pop(name, None)
        else:
            folders[folder][name] = number


def _inode(path):
    return os.stat(path, follow_symlinks=False).st_ino


def _remove(entry):
    if entry.is_dir(follow_symlinks=False):
        for below in os.scandir(entry.path):
            _remove(below)
        os.rmdir(entry.path)
    else:
        os.unlink(entry.path)
