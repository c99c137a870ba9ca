"""Read sentences as Common Voice has them: `clips/*.mp3` and beside the folder `validated.tsv`, `train.tsv` and so on.

Which tables are taken is a setting; a clip that stands only in others is left out. All columns but `client_id`, the
speaker, `path`, `sentence` and `locale`, the language, go to the extras, and so does the corpus' own split.
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible, without_suffix
from kaiku.layouts._tables import Row, by_name, clips, find, headed, parse_tabs, tables_named, without

PRECUT = True
Table = Literal["validated", "train", "dev", "test", "other", "invalidated"]
SPLITS = ("train", "dev", "test")


class Settings(LayoutSettings):
    """Which tables are taken."""

    tables: tuple[Table, ...] = Field(
        ("validated", *SPLITS),
        min_length=1,
        description="Tables of the clips that are taken: `validated` holds the splits; `other` is not yet voted on.",
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each clip of the tables taken, and for each that no table names."""
    files = visible(files)
    audio = audio_files(files)
    tables = tables_named(files, *(f"{name}.tsv" for name in get_args(Table)))
    names = by_name(audio)
    rows = [row for table in tables for row in _rows(table, read(table, parse_tabs), names)]
    taken, left_out = _choose(rows, settings)
    if left_out:
        what = f"{len(left_out)} clips stand only in tables that are not taken"
        yield Problem(min(left_out), what, "Add their table to `tables:` if they are wanted; they are left out.")
    yield from clips([path for path in audio if path not in left_out], "table", tables, taken, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str]) -> Iterator[Row | Problem]:
    for row in headed(table, parsed, ("client_id", "path", "sentence")):
        if isinstance(row, Problem):
            yield row
            continue
        path = find(names, table, row["path"], ("clips",))
        extras = without(row, "client_id", "path", "sentence", "locale")
        yield Row(table, row["path"], path, row["sentence"], row["client_id"], row.get("locale", ""), extras)


def _choose(rows: list[Row | Problem], settings: Settings) -> tuple[list[Row | Problem], set[str]]:
    """Problems and rows of the tables taken, each clip from the first that has it, and the clips of others only."""
    standing = [row for row in rows if isinstance(row, Row)]
    splits = {row.path: _name(row) for row in standing if _name(row) in SPLITS}
    tables: dict[str, str] = {}
    taken: list[Row | Problem] = [row for row in rows if isinstance(row, Problem)]
    for row in sorted(standing, key=lambda row: get_args(Table).index(_name(row))):
        if _name(row) in settings.tables and tables.setdefault(row.path or row.name, row.table) == row.table:
            split = {"split": splits[row.path]} if row.path in splits else {}
            taken.append(replace(row, extras=row.extras | split))
    return taken, {row.path for row in standing if row.path} - tables.keys()


def _name(row: Row) -> str:
    return without_suffix(posixpath.basename(row.table))


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them in no table."""
    (folder / "clips").mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / "clips" / f"common_voice_fi_{number}.mp3").write_bytes(b"")
    header = "client_id\tpath\tsentence\tup_votes\tdown_votes\taccents\tlocale\n"
    one = "ab01\tcommon_voice_fi_1.mp3\tHyvää päivää!\t2\t0\tSavo\tfi\n"
    two = "cd02\tcommon_voice_fi_2.mp3\tKiitos.\t3\t1\t\tfi\n"
    (folder / "validated.tsv").write_text(header + one + two, encoding="utf-8")
    (folder / "test.tsv").write_text(header + two, encoding="utf-8")
