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
from kaiku.store import atomic

LEFT_OUT = ".left_out"
"""Name of the list in a corpus' folder; hidden, so that no scan takes it for a file of the corpus."""


def keep(folder: Path, hours: float, discover: Callable[..., Any], options: Any) -> tuple[float, int]:
    """Remove all recordings but about so many hours of them; returns the hours kept and the recordings left out.

    discover, options: the layout's, with its settings. A recording that cannot be decoded counts as no time.
    """
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    found = discover(files, lambda path, parse: parse((folder / path).read_bytes()), options)
    recordings = sorted((r for r in found if isinstance(r, Recording)), key=lambda r: _order(r.id))
    seconds, taken = 0.0, 0
    while taken < len(recordings) and seconds < hours * 3600:
        seconds += _duration_s(folder / recordings[taken].path)
        taken += 1
    dropped = [recording.path for recording in recordings[taken:]]
    for path in dropped:
        (folder / path).unlink()
    atomic.write_text(folder / LEFT_OUT, "".join(f"{path}\n" for path in sorted(dropped)))
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
