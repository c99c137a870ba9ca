"""What is known of a language, as its data file and the variant of the region have it."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

DATA_FILES = (
    "languages/de.toml",
    "languages/en.toml",
    "languages/es.toml",
    "languages/fi.toml",
    "languages/hi.toml",
    "languages/pt.toml",
    "languages/te.toml",
)

_FILES = {Path(name).stem: Path(__file__).parent / name for name in DATA_FILES}


def codes() -> tuple[str, ...]:
    """Languages that have a data file."""
    return tuple(sorted(_FILES))


@cache
def data_of(tag: str) -> Mapping | None:
    """The tables of a BCP 47 tag's language, its region's laid over them; None where the language has no file."""
    code, *subtags = re.split("[-_]", tag)
    path = _FILES.get(code.lower())
    if path is None:
        return None
    data = tomllib.loads(unicodedata.normalize("NFC", path.read_text(encoding="utf-8")))
    regions = data.pop("regions", {})
    variants = data.pop("variants", {})
    for subtag in subtags:
        if subtag.upper() in regions:
            data = _over(data, variants[regions[subtag.upper()]])
    return data


def primary(tag: str) -> str:
    """The language alone of a BCP 47 tag: pt-PT -> pt."""
    return re.split("[-_]", tag)[0]


def as_tagged(heard: str, tag: str) -> str:
    """The language that was heard, as the expected tag has it where that is a variant of it: pt, pt-PT -> pt-PT."""
    return tag if primary(tag).lower() == primary(heard).lower() else heard


def _over(base: Mapping, changes: Mapping) -> dict:
    """The base with the changes in it; tables are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _over(merged[name], value) if both else value
    return merged
