"""Indian languages as Kathbath has them: `<language>/<split>/<id>-<speaker>-<f or m>.m4a` (perhaps in `audio/`) and
`<language>/<split>/transcription_n2w.txt` (file, tab, text with numbers in words).
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import Row, by_name, clips, find, headless, id_field, parse_words, tables_named
from kaiku.text.language import as_tagged

PRECUT = True
TABLE = "transcription_n2w.txt"
PLACES = ("", "audio")

LANGUAGES = {
    **{"bengali": "bn", "gujarati": "gu", "hindi": "hi", "kannada": "kn", "malayalam": "ml", "marathi": "mr"},
    **{"odia": "or", "punjabi": "pa", "sanskrit": "sa", "tamil": "ta", "telugu": "te", "urdu": "ur"},
}
"""BCP 47 tags of the folders of languages."""


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; speaker and language are in a clip's path.

    A corpus' language that is a variant of the folder's (`te-IN` of `telugu`) is taken for the folder's clips.
    """


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; extras: the corpus' own split, gender (f, m)."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_words), names))
    yield from clips(audio, TABLE, tables, rows, settings, _speaker, partial(_language, settings.language))


def _rows(table: str, parsed: dict, names: Mapping[str, str]) -> Iterator[Row | Problem]:
    split = posixpath.basename(posixpath.dirname(table))
    for row in headless(table, parsed, "file and text", (2,)):
        if isinstance(row, Problem):
            yield row
            continue
        name, text = row
        extras = {"split": split, "gender": id_field(name, "-", 2, of=3)}
        extras = {key: value for key, value in extras.items() if value}
        yield Row(table, name, find(names, table, name, PLACES), text, extras=extras)


def _speaker(path: str) -> str:
    return id_field(path, "-", 1, of=3)


def _language(corpus: str, path: str) -> str:
    """The language of the folder that a clip lies in, as the corpus has it where it says that language too."""
    told = next((LANGUAGES[folder] for folder in reversed(path.split("/")[:-1]) if folder in LANGUAGES), "")
    return told and as_tagged(told, corpus)


def tiny(folder: Path) -> None:
    """Three Telugu clips of two speakers, one of them without a row."""
    split = folder / "telugu" / "valid"
    split.mkdir(parents=True)
    for name in ("844424930000001-594-f.m4a", "844424930000002-973-m.m4a", "844424930000003-973-m.m4a"):
        (split / name).write_bytes(b"")
    table = "844424930000001-594-f.m4a\tనమస్కారం\n844424930000002-973-m.m4a\tఎలా ఉన్నారు\n"
    (split / TABLE).write_text(table, encoding="utf-8")
