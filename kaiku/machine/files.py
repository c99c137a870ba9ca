"""What the workspace's file system can do: Kaiku links, locks and renames, and takes times from it."""

import errno
import fcntl
import locale
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kaiku.machine import Finding

ELSEWHERE = "Put the workspace on a local disk, or on a file system that can; recordings may stay where they are."
LONGEST_NAME = 255
CLOCKS_APART_S = 2.0
BUILT = 1_700_000_000
"""Seconds since 1970 before which no clock is right: this was written later."""


def findings(workspace: Path) -> Iterator[Finding]:
    """What a folder of its own, made and removed in the workspace, allows."""
    try:
        with tempfile.TemporaryDirectory(dir=workspace, prefix=".kaiku-check-") as name:
            yield from _trials(Path(name))
    except OSError as error:
        what = f"{workspace.resolve()} cannot be written ({error.strerror})"
        yield Finding("files", what, "problem", "Mend its permissions, or go to a workspace of yours.")


def _trials(folder: Path) -> Iterator[Finding]:
    trials: list[tuple[str, Callable[[Path], None]]] = [
        ("hard links", _links),
        ("locks (flock)", _locks),
        ("renaming over a file", _renames),
        ("symbolic links", _symbolic_links),
        (f"names of {LONGEST_NAME - 15} bytes in any script", _names),
    ]
    able = []
    for name, trial in trials:
        try:
            trial(folder)
            able.append(name)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            yield Finding("files", f"the workspace's file system does not do {name}: {why}", "problem", ELSEWHERE)
    if able:
        yield Finding("files", f"the workspace's file system does {', '.join(able)}")
    if _is_case_blind(folder):
        what = "a and A are one file in the workspace's file system"
        remedy = "Clips whose names differ by case alone would meet: rename them, or use a file system that tells case."
        yield Finding("files", what, "warning", remedy)
    yield clock(time.time(), _file_time(folder))


def _links(folder: Path) -> None:
    (folder / "linked").write_bytes(b"1")
    os.link(folder / "linked", folder / "link")
    if (folder / "link").stat().st_nlink != 2:
        raise OSError("a link does not count")


def _locks(folder: Path) -> None:
    with open(folder / "lock", "w") as one, open(folder / "lock", "w") as other:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        else:
            raise OSError("two hold one lock")


def _renames(folder: Path) -> None:
    for name in ("old", "new"):
        (folder / name).write_text(name)
    os.replace(folder / "new", folder / "old")
    if (folder / "old").read_text() != "new":
        raise OSError("what was renamed does not take the place")


def _symbolic_links(folder: Path) -> None:
    os.symlink("linked", folder / "symbolic")
    if (folder / "symbolic").read_bytes() != b"1":
        raise OSError("a link does not lead there")


def _names(folder: Path) -> None:
    name = "తెలుగు-ääni-" + "x" * (LONGEST_NAME - 15 - len("తెలుగు-ääni-".encode()))
    (folder / name).write_bytes(b"1")
    if name not in os.listdir(folder):
        raise OSError("a name comes back in another form")


def _is_case_blind(folder: Path) -> bool:
    (folder / "case").write_bytes(b"")
    return (folder / "CASE").exists()


def _file_time(folder: Path) -> float:
    (folder / "now").write_bytes(b"1")
    return (folder / "now").stat().st_mtime


def clock(now: float, file_time: float) -> Finding:
    """Whether this machine's clock and the file system's go together: Snakemake tells by times what is newer."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < BUILT:
        return Finding("clock", f"the clock says {shown}", "problem", "Set the clock: signatures and times hang on it.")
    if abs(now - file_time) > CLOCKS_APART_S:
        what = f"files of the workspace are stamped {abs(now - file_time):.0f} s off this machine's clock"
        return Finding("clock", what, "warning", "Let both keep time by NTP, or finished work may look stale.")
    return Finding("clock", shown)


def language() -> Finding:
    """Whether names and texts are UTF-8 for programs started here."""
    names, texts = sys.getfilesystemencoding(), locale.getpreferredencoding(False)
    if {_plain(names), _plain(texts)} == {"utf8"}:
        return Finding("locale", "UTF-8")
    what = f"names are {names} and texts {texts}, not UTF-8"
    return Finding("locale", what, "problem", "`export LC_ALL=C.UTF-8` (or PYTHONUTF8=1) before running.")


def _plain(encoding: str) -> str:
    return encoding.lower().replace("-", "").replace("_", "")
