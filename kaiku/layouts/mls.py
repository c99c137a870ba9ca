"""Audio books as Multilingual LibriSpeech has them: `<split>/audio/<speaker>/<book>/<id>.flac` (or `.opus`) and
`<split>/transcripts.txt` (`id`, tab, text), where an id is `<speaker>_<book>_<number>`.
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, id_field, parse_tabs, tables_named

PRECUT = True
TABLE = "transcripts.txt"


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; without `speaker`, it is the first field of a clip's id."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; extras: the corpus' own split."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_tabs), names))
    yield from clips(audio, TABLE, tables, rows, settings, _speaker)


def _rows(table: str, parsed: dict, names: Mapping[str, str]) -> Iterator[Row | Problem]:
    split = posixpath.basename(posixpath.dirname(table))
    for row in headless(table, parsed, "id, tab, text", (2,)):
        if isinstance(row, Problem):
            yield row
            continue
        id, text = row
        place = "/".join(["audio", *id.split("_")[:2]])
        yield Row(table, id, find(names, table, id, (place,)), text, extras={"split": split} if split else {})


def _speaker(path: str) -> str:
    return id_field(path, "_", 0, of=3)


def tiny(folder: Path) -> None:
    """Three clips of two readers in two splits, one of them without a row."""
    for path in (
        "train/audio/10/20/10_20_000000.opus",
        "train/audio/10/20/10_20_000001.opus",
        "dev/audio/11/7/11_7_000000.opus",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    (folder / "train" / TABLE).write_text("10_20_000000\tera uma vez\n", encoding="utf-8")
    (folder / "dev" / TABLE).write_text("11_7_000000\tum dia\n", encoding="utf-8")
