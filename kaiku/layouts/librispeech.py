"""Audio books as LibriSpeech has them: `<part>/<speaker>/<chapter>/<id>.flac` and, in the same folder,
`<speaker>-<chapter>.trans.txt` (`id text`), where an id is `<speaker>-<chapter>-<number>`.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, id_field, parse_words, tables_named

PRECUT = True
TABLE = "*.trans.txt"


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; without `speaker`, it is the first field of a clip's id."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; extras: the part (`train-clean-100`)."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_words), names))
    yield from clips(audio, TABLE, tables, rows, settings, _speaker)


def _rows(table: str, parsed: dict, names: Mapping[str, str]) -> Iterator[Row | Problem]:
    part = "/".join(table.split("/")[:-3]).rpartition("/")[2]
    for row in headless(table, parsed, "id text", (2,)):
        if isinstance(row, Problem):
            yield row
            continue
        id, text = row
        yield Row(table, id, find(names, table, id), text, extras={"part": part} if part else {})


def _speaker(path: str) -> str:
    return id_field(path, "-", 0, of=3)


def tiny(folder: Path) -> None:
    """Three clips of two readers, one of them without a row."""
    for path in ("19/198/19-198-0000.flac", "19/198/19-198-0001.flac", "26/495/26-495-0000.flac"):
        clip = folder / "train-clean-100" / path
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"")
    chapters = {"19/198/19-198": "19-198-0000 NORTHANGER ABBEY\n", "26/495/26-495": "26-495-0000 SOME TIME AGO\n"}
    for chapter, text in chapters.items():
        (folder / "train-clean-100" / f"{chapter}.trans.txt").write_text(text, encoding="utf-8")
