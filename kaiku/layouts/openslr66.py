"""Crowd-sourced speech of OpenSLR's sets 64, 66 and their kin: `line_index.tsv` (`id`, tab, text) and `id.wav`.

The clips lie anywhere below the folder of their table. An id is `<set>_<speaker>_<number>`; between id and text some
sets have further columns, which are passed over.
"""

import posixpath
from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, id_field, parse_tabs, tables_named

PRECUT = True
TABLE = "line_index*.tsv"


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; without `speaker`, it is the middle field of a clip's id."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    rows = (row for table in tables for row in _rows(table, read(table, parse_tabs), audio))
    yield from clips(audio, TABLE, tables, rows, settings, _speaker)


def _rows(table: str, parsed: dict, audio: list[str]) -> Iterator[Row | Problem]:
    root = posixpath.dirname(table)
    names = by_name(audio)
    folders = sorted({posixpath.dirname(path) for path in audio if not root or path.startswith(f"{root}/")})
    places = [posixpath.relpath(folder, root or ".") for folder in (f or "." for f in folders)]
    for row in headless(table, parsed, "id, tab, text", range(2, 6)):
        if isinstance(row, Problem):
            yield row
        else:
            yield Row(table, row[0], find(names, table, row[0], places), row[-1])


def _speaker(path: str) -> str:
    return id_field(path, "_", 1, of=3)


def tiny(folder: Path) -> None:
    """A woman and a man with a table each, three clips, one of them without a row."""
    contents = {
        "te_in_female": (("tef_00432_01", "tef_00432_02"), "tef_00432_01\tనమస్కారం\n"),
        "te_in_male": (("tem_01210_07",), "tem_01210_07\tధన్యవాదాలు\n"),
    }
    for part, (clips_of_part, table) in contents.items():
        (folder / part).mkdir(parents=True)
        for name in clips_of_part:
            (folder / part / f"{name}.wav").write_bytes(b"")
        (folder / part / "line_index.tsv").write_text(table, encoding="utf-8")
