"""Secrets: from the environment, else from a `.env` in the workspace; never from a configuration, never printed."""

import os
import re
from pathlib import Path

from kaiku.errors import KaikuError

FILE = Path(".env")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def get(name: str, file: Path = FILE) -> str:
    """A secret; empty where there is none. What the environment says, wins."""
    return os.environ.get(name, "").strip() or read(file).get(name, "")


def read(file: Path = FILE) -> dict[str, str]:
    """Names and values of a `.env`: `NAME=value` lines, with `export` before or quotes around; `#` begins a remark.

    Raises KaikuError with the number of a line that is none of these, and not with what stands in it.
    """
    if not file.is_file():
        return {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KaikuError(f"{file} cannot be read ({type(error).__name__})", expected="a text in UTF-8") from error
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            if match is None:
                raise KaikuError(f"{file}, line {number}: no NAME=value", remedy="Mend the line, or put # before it.")
            found[match[1]] = _value(match[2])
    return found


def _value(text: str) -> str:
    if len(text) > 1 and text[0] in "'\"" and text[0] in text[1:]:
        return text[1 : text.index(text[0], 1)]
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
