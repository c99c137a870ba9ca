"""Room on a disk, asked before it is filled."""

import shutil
from pathlib import Path

from kaiku.errors import KaikuError


class NoRoom(KaikuError):
    """The disk cannot take what comes; no other server or archive would help."""


def check_room(folder: Path, needed: int, *, expected: str = "") -> None:
    """Raise NoRoom where fewer bytes are free on a folder's disk than are to come."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"{folder.resolve()}: {free / 1e9:.1f} GB are free on its disk, and {needed / 1e9:.1f} GB are to come",
            expected=expected,
            remedy="Free some space and run again; what came is kept.",
        )
