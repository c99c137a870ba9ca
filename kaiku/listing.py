"""The files of a folder, as everything here sees them: neither `.git` nor a download's `.cache` is part of a model."""

import os
from pathlib import Path


def visible_files(folder: Path) -> list[Path]:
    """All files at any depth, sorted by their relative names; hidden ones, and all in hidden folders, are left out.

    Links to files count as files, links to folders are not followed. A folder that is not there has no files.
    """
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(filter(Path.is_file, found), key=lambda path: path.relative_to(folder).as_posix())
