"""An archive into a folder, and nothing of it anywhere else."""

import errno
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch.room import check_room
from kaiku.progress import track

# RuntimeError: an encrypted zip, or one of a compression that Python lacks. KeyError: a hard link to no member.
# ValueError: a name that is no text.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, KeyError, ValueError),
)
BAD_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL)
"""What the system says of members that no folder can hold: any other error of it is the disk's fault."""

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
    `..`, link outside), lies behind a link or in its place, or is no file, folder or link inside, or where the whole is
    huge beside the archive or does not fit on the disk; CorruptFile on an archive that is none, or is damaged.
    """
    called = called or str(archive)
    try:
        if tarfile.is_tarfile(archive):  # first: a tar that ends with a zip is one to zipfile
            _untar(archive, folder, called)
        elif zipfile.is_zipfile(archive):
            _unzip(archive, folder, called)
        else:
            with open(archive, "rb") as f:
                begins = f.read(32)
            raise CorruptFile(
                f"{called} is no archive; it begins with {begins!r}",
                expected="a .tar.gz, .tar.bz2, .tar.xz, .tar or .zip",
                remedy="Look at the address in a browser: a page that asks for a login is a common reason.",
            )
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, *BAD_NAMES):
            raise
        remedy = "Run again, it is downloaded anew; if that does not help, it is damaged at its source."
        raise CorruptFile(f"{called} cannot be unpacked: {error}", remedy=remedy) from error


def lift_only_folder(folder: Path, *, called: str = "") -> None:
    """Where all that a folder holds is one folder, put that one's content in its place.

    called: what messages call what was unpacked. Raises KaikuError where a link leads out of the folder then.
    """
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        outer = entries[0].rename(folder / ".lifted")  # its own content may bear its name
        for path in list(outer.iterdir()):
            path.rename(folder / path.name)
        outer.rmdir()
        _check_links(folder, called or str(folder))


def checked_path(name: str, called: str) -> PurePosixPath:
    """A member's path; KaikuError where it leads out of the folder by its name."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe(called, name, "its path leads out of the folder")
    return path


def _check_way(name: str, folder: Path, called: str) -> None:
    """KaikuError where a member would be written, or linked to, outside the folder or through a link in it."""
    path = checked_path(name, called)
    if any(os.path.islink(folder / part) for part in (path, *path.parents[:-1])):
        raise _unsafe(called, name, "its path goes through a link")


def _check_links(folder: Path, called: str) -> None:
    """KaikuError where a link in a folder leads out of it, now that all is there; it may lead to nothing inside."""
    root = os.path.realpath(folder)
    for path in folder.rglob("*"):
        if path.is_symlink() and _leads_out(path, root):
            name = path.relative_to(folder).as_posix()
            raise _unsafe(called, name, "it is a link that leads out of the folder, or cannot be followed")


def _leads_out(link: Path, root: str) -> bool:
    try:
        end = os.path.realpath(link, strict=True)
    except FileNotFoundError:
        end = os.path.realpath(link)
    except OSError:  # a path too long, or a circle: without `strict` realpath stops there, as tarfile's filter does
        return True
    return not Path(end).is_relative_to(root)


def _untar(archive: Path, folder: Path, called: str) -> None:
    room, has_links = _Room(archive, folder, called), False
    with tarfile.open(archive) as tar:
        for member in track(tar, total=None, label="unpack", unit="file"):
            _check_way(member.name, folder, called)
            if member.islnk():
                _check_way(member.linkname, folder, called)
            room.take(member.size if member.isfile() else 0)
            has_links |= member.issym()
            try:
                tar.extract(member, folder, filter="data")
            except tarfile.FilterError as error:
                raise _unsafe(called, member.name, str(error)) from error
        _check_end(tar)
    if has_links:
        _check_links(folder, called)


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
            _check_way(member.filename, folder, called)
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
