"""Tables of an export: lines that are written as their clips come."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIBRARIES: tuple[str, ...] = ()


class Lines:
    """Text files of a folder, one line at a time; each is made with its first line."""

    def __init__(self, folder: Path):
        self._folder, self._files = folder, {}

    def add(self, name: str, line: str) -> None:
        """One line more of a file."""
        if name not in self._files:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[name] = open(path, "x", encoding="utf-8", newline="")  # noqa: SIM115
        self._files[name].write(line + "\n")

    def close(self) -> None:
        for file in self._files.values():
            file.close()


@contextmanager
def lines(folder: Path) -> Iterator[Lines]:
    """Files of lines that are whole when the block ends."""
    made = Lines(folder)
    try:
        yield made
    finally:
        made.close()


def json_line(value: dict[str, Any]) -> str:
    """A value as one line of JSON, letters as they are."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def field(text: str) -> str:
    """A text as a field of a table divided by `|`: on one line, without the bar."""
    return " ".join(text.replace("|", " ").split())
