"""One reader's audio books, as CSS10 has them: `transcript.txt` (`path|raw|normalised|duration`) beside the folders."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, parse_bars, tables_named

PRECUT = True
TABLE = "transcript.txt"


class Settings(LayoutSettings):
    """Which of the two texts counts."""

    column: Literal["raw", "normalised"] = Field(
        "normalised", description="Which column is taken: `normalised` has numbers spelled out."
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_bars), names, settings))
    yield from clips(audio, TABLE, tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str], settings: Settings) -> Iterator[Row | Problem]:
    for row in headless(table, parsed, "path|raw|normalised|duration", (4,)):
        if isinstance(row, Problem):
            yield row
            continue
        name, raw, normalised, _ = row
        wanted = normalised.strip() if settings.column == "normalised" else ""
        yield Row(table, name, find(names, table, name), wanted or raw)


def tiny(folder: Path) -> None:
    """Three clips of one book, one of them without a row."""
    (folder / "rautatie").mkdir(parents=True)
    for name in ("rautatie_0001.wav", "rautatie_0002.wav", "rautatie_0003.wav"):
        (folder / "rautatie" / name).write_bytes(b"")
    table = (
        "rautatie/rautatie_0001.wav|Luku 1.|Luku yksi.|1.25\nrautatie/rautatie_0002.wav|Matti tuli.|Matti tuli.|0.90\n"
    )
    (folder / TABLE).write_text(table, encoding="utf-8")
