"""A part of a corpus by hours: the same on every machine, and inside that of any larger number.

Recordings are taken in the order of their ids' digests until the hours are reached. The audio of all others is removed
from the folder that a fetch fills; their names stay in a hidden file there, since texts and tables still speak of them.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaiku.errors import DecodeError
from kaiku.layouts import Recording
from kaiku.progress import tell
from kaiku.store import atomic, scan

LEFT_OUT = ".left_out"
"""Name of the list in a corpus' folder; hidden, so that no scan takes it for a file of the corpus."""


def keep(folder: Path, hours: float, discover: Callable[..., Any], options: Any) -> tuple[float, int]:
    """Remove all recordings but about so many hours of them; returns the hours kept and the recordings left out.

    discover, options: the layout's, with its settings. A recording that cannot be decoded counts as no time; all names
    of one file stay or go together, and its time counts once.
    """
    files, _ = scan.split(scan.walk(folder))
    found = discover(files.keys(), lambda path, parse: parse((folder / path).read_bytes()), options)
    recordings = sorted((r for r in found if isinstance(r, Recording)), key=lambda r: _order(r.id))
    inodes = {recording.path: files[recording.path][-1] for recording in recordings}
    seconds, kept = 0.0, set()
    for path, inode in inodes.items():
        if seconds >= hours * 3600:
            break
        if inode not in kept:
            seconds += _duration_s(folder / path)
            kept.add(inode)
    dropped = sorted(path for path, inode in inodes.items() if inode not in kept)
    for path in dropped:
        (folder / path).unlink(missing_ok=True)  # gone already where it lies in a folder of two names
    atomic.write_text(folder / LEFT_OUT, "".join(f"{path}\n" for path in dropped))
    taken = len(recordings) - len(dropped)
    tell(f"kept {taken} recordings, {seconds / 3600:.2f} h of the {hours} h asked for; left out {len(dropped)}")
    return seconds / 3600, len(dropped)


def left_out(folder: Path) -> frozenset[str]:
    """Paths of the recordings that a fetch left out of a corpus' folder."""
    path = folder / LEFT_OUT
    return frozenset(path.read_text(encoding="utf-8").split("\n")[:-1]) if path.exists() else frozenset()


def _order(recording: str) -> bytes:
    return hashlib.sha256(recording.encode()).digest()


def _duration_s(path: Path) -> float:
    from kaiku.audio import decode

    try:
        return decode.probe(path).duration_s
    except DecodeError:
        return 0.0
