"""Clips with one table of texts, as LJ Speech has it: `metadata.csv` (`id|text[|normalised]`) and `wavs/id.wav`.

The audio lies under `wavs/`, under `audio/` or beside the table, in any format; a corpus may hold several such folders.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, parse_bars, tables_named

PRECUT = True
TABLE = "metadata.csv"
PLACES = ("wavs", "audio", "")


class Settings(LayoutSettings):
    """Which of the two texts counts."""

    column: Literal["text", "normalised"] = Field(
        "normalised",
        description="Which column is taken: `normalised` has numbers spelled out; where it is empty, `text`.",
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; rows and audio without each other are problems."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_bars), names, settings))
    yield from clips(audio, TABLE, tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str], settings: Settings) -> Iterator[Row | Problem]:
    for row in headless(table, parsed, "id|text or id|text|normalised", (2, 3)):
        if isinstance(row, Problem):
            yield row
            continue
        name, written, normalised = [*row, ""][:3]
        wanted = normalised.strip() if settings.column == "normalised" else ""
        yield Row(table, name, find(names, table, name, PLACES), wanted or written)


def tiny(folder: Path) -> None:
    """Three clips, one of them without a row."""
    (folder / "wavs").mkdir(parents=True)
    for name in ("LJ-1.wav", "LJ-2.wav", "LJ-3.wav"):
        (folder / "wavs" / name).write_bytes(b"")
    (folder / TABLE).write_text("LJ-1|Chapter 1|Chapter one\nLJ-2|comparatively modern.\n", encoding="utf-8")
