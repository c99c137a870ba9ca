"""An archive into a folder, and nothing of it anywhere else."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch.room import check_room
from kaiku.progress import track

# RuntimeError: an encrypted zip, or one of a compression that Python lacks.
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.bz", ".tar.xz", ".zip")

EXPANSION = 200
"""Times its own size that an archive may unpack to; speech and its texts stay far below, a bomb does not."""
ALWAYS_FINE = 1 << 30
"""Bytes that any archive may unpack to, whatever its size."""


def is_archive_name(name: str) -> bool:
    """Whether a file's name says that it is an archive."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, *, called: str = "") -> None:
    """Extract a .tar, .tar.gz, .tar.bz2, .tar.xz or .zip, told by its content, into an existing folder.

    called: what messages call the archive. Raises KaikuError on a member that would leave the folder (absolute path,
    `..`, link outside) or is no file, folder or link inside, or where the whole is huge beside the archive or does not
    fit on the disk; CorruptFile on an archive that is none, or is damaged.
    """
    called = called or str(archive)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, folder, called)
        elif tarfile.is_tarfile(archive):
            _untar(archive, folder, called)
        else:
            with open(archive, "rb") as f:
                begins = f.read(32)
            raise CorruptFile(
                f"{called} is no archive; it begins with {begins!r}",
                expected="a .tar.gz, .tar.bz2, .tar.xz, .tar or .zip",
                remedy="Look at the address in a browser: a page that asks for a login is a common reason.",
            )
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the archive's
            raise
        remedy = "Run again, it is downloaded anew; if that does not help, it is damaged at its source."
        raise CorruptFile(f"{called} cannot be unpacked: {error}", remedy=remedy) from error


def lift_only_folder(folder: Path) -> None:
    """Where all that a folder holds is one folder, put that one's content in its place."""
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        outer = entries[0].rename(folder / ".lifted")  # its own content may bear its name
        for path in list(outer.iterdir()):
            path.rename(folder / path.name)
        outer.rmdir()


def checked_path(name: str, links: Collection[PurePosixPath], called: str) -> PurePosixPath:
    """A member's path; KaikuError where it leads out of the folder by its name, or through a link of the archive's."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe(called, name, "its path leads out of the folder")
    if any(parent in links for parent in path.parents):
        raise _unsafe(called, name, "its path goes through a link")
    return path


def _untar(archive: Path, folder: Path, called: str) -> None:
    links: set[PurePosixPath] = set()
    room = _Room(archive, folder, called)
    with tarfile.open(archive) as tar:
        for member in track(tar, total=None, label="unpack", unit="file"):
            path = checked_path(member.name, links, called)
            room.take(member.size if member.isfile() else 0)
            if member.issym():
                links.add(path)
            try:
                tar.extract(member, folder, filter="data")
            except tarfile.FilterError as error:
                raise _unsafe(called, member.name, str(error)) from error
        _check_end(tar)


def _check_end(tar: tarfile.TarFile) -> None:
    """A damaged header ends the iteration like the archive's end; and a checksum of the whole stands after it."""
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"no whole member at byte {tar.offset}")
    while tar.fileobj.read(1 << 20):
        pass


def _unzip(archive: Path, folder: Path, called: str) -> None:
    room = _Room(archive, folder, called)
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        for member in track(members, total=len(members), label="unpack", unit="file"):
            checked_path(member.filename, (), called)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _unsafe(called, member.filename, "it is a link")
            room.take(member.file_size)
            zipped.extract(member, folder)


class _Room:
    """What an archive may still unpack to: asked before each member, so that no bomb fills the disk first."""

    def __init__(self, archive: Path, folder: Path, called: str):
        self.folder, self.called = folder, called
        self.limit = max(ALWAYS_FINE, EXPANSION * archive.stat().st_size)
        self.taken = 0

    def take(self, size: int) -> None:
        """Count a member's bytes; KaikuError where they are too many."""
        self.taken += size
        if self.taken > self.limit:
            raise KaikuError(
                f"{self.called} unpacks to more than {self.limit / 1e9:.1f} GB, {EXPANSION} times its size",
                expected="an archive of recordings",
                remedy="Look at what it is; where all is well, unpack it by hand and give the folder as `path:`.",
            )
        check_room(self.folder, size)


def _unsafe(called: str, name: str, why: str) -> KaikuError:
    return KaikuError(
        f"{called}: member {name!r} is refused, since {why}",
        expected="files, folders and links that stay inside the archive",
        remedy="Do not use this archive, and tell whoever published it. Nothing of it was kept.",
    )
