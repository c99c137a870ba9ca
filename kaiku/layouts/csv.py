"""Clips with any CSV that has a header; which columns hold what is a setting, other columns go to the extras.

Fields may be quoted, and are divided by whichever of `, ; tab |` the header has most of. A file is named from the
table's folder or the corpus' own; an absolute path from before a move is found by its end.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find_moved, headed, parse_quoted, tables_named, without
from kaiku.strict import Strict

PRECUT = True


class Columns(Strict):
    """Names of columns; those of speaker and language may be absent."""

    file: str = Field("file", description="Audio file.")
    text: str = Field("text", description="What is said in it.")
    speaker: str = Field("speaker", description="Who says it; where it tells, it wins over the corpus' speaker.")
    language: str = Field("language", description="In which language; where it tells, it wins over the corpus'.")


class Settings(LayoutSettings):
    """Which tables are read, and what their columns are called."""

    tables: str = Field("*.csv", description="Names of the tables, as a shell pattern.")
    columns: Columns = Field(default_factory=Columns, description="What the columns are called.")


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with what its row says."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, settings.tables)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_quoted), names, settings.columns))
    yield from clips(audio, settings.tables, tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str], columns: Columns) -> Iterator[Row | Problem]:
    for row in headed(table, parsed, (columns.file, columns.text)):
        if isinstance(row, Problem):
            yield row
            continue
        file, text = row[columns.file], row[columns.text]
        speaker, language = row.get(columns.speaker, ""), row.get(columns.language, "")
        extras = without(row, *columns.model_dump().values())
        yield Row(table, file, find_moved(names, table, file), text, speaker, language, extras)


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them without a row."""
    (folder / "clips").mkdir(parents=True)
    for name in ("a.mp3", "b,c.wav", "d.wav"):
        (folder / "clips" / name).write_bytes(b"")
    table = 'file,text,speaker,style\nclips/a.mp3,"Olá, mundo",ana,happy\n"clips/b,c.wav","say ""hi""",bob,\n'
    (folder / "clips.csv").write_text(table, encoding="utf-8")
