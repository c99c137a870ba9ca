"""Indian languages as Kathbath has them: `<language>/<split>/<id>-<speaker>-<f or m>.m4a` (perhaps in `audio/`) and
`<language>/<split>/transcription_n2w.txt` (file, tab, text with numbers in words).
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible, without_suffix
from kaiku.layouts._tables import Row, by_name, clips, find, headless, id_field, parse_words, tables_named

PRECUT = True
TABLE = "transcription_n2w.txt"
PLACES = ("", "audio")

LANGUAGES = {
    **{"bengali": "bn", "gujarati": "gu", "hindi": "hi", "kannada": "kn", "malayalam": "ml", "marathi": "mr"},
    **{"odia": "or", "punjabi": "pa", "sanskrit": "sa", "tamil": "ta", "telugu": "te", "urdu": "ur"},
}
"""BCP 47 tags of the folders of languages."""


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; speaker and, where the corpus says none, language are in a clip's path."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; extras: the corpus' own split, gender (f, m)."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, TABLE)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_words), names, settings))
    yield from clips(audio, TABLE, tables, rows, settings, _speaker)


def _rows(table: str, parsed: dict, names: Mapping[str, str], settings: Settings) -> Iterator[Row | Problem]:
    *_, language, split = ["", "", *table.split("/")[:-1]]
    told = LANGUAGES.get(language, "") if settings.language == "und" else ""
    for row in headless(table, parsed, "file and text", (2,)):
        if isinstance(row, Problem):
            yield row
            continue
        name, text = row
        gender = without_suffix(name).rpartition("-")[2]
        extras = {key: value for key, value in (("split", split), ("gender", gender)) if value}
        yield Row(table, name, find(names, table, name, PLACES), text, language=told, extras=extras)


def _speaker(path: str) -> str:
    return id_field(path, "-", 1, of=3)


def tiny(folder: Path) -> None:
    """Three Telugu clips of two speakers, one of them without a row."""
    split = folder / "telugu" / "valid"
    split.mkdir(parents=True)
    for name in ("844424930000001-594-f.m4a", "844424930000002-973-m.m4a", "844424930000003-973-m.m4a"):
        (split / name).write_bytes(b"")
    table = "844424930000001-594-f.m4a\tనమస్కారం\n844424930000002-973-m.m4a\tఎలా ఉన్నారు\n"
    (split / TABLE).write_text(table, encoding="utf-8")
