"""Clips with one table of texts, as LJ Speech has it: `metadata.csv` (`id|text[|normalised]`) and `wavs/id.wav`.

The audio lies under `wavs/`, under `audio/` or beside the table, in any format; a corpus may hold several such folders.
"""

import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from kaiku.layouts import (
    AUDIO_SUFFIXES,
    LayoutSettings,
    Problem,
    Read,
    Recording,
    Span,
    audio_files,
    decode_text,
    encoding_problems,
    name_recordings,
    one_line,
    text_problems,
    visible,
    without_speaker,
    without_suffix,
)

PRECUT = True
TABLE = "metadata.csv"


class Settings(LayoutSettings):
    """Which of the two texts counts."""

    column: Literal["text", "normalised"] = Field(
        "normalised",
        description="Which column is taken: `normalised` has numbers spelled out; where it is empty, `text`.",
    )


def parse_metadata(data: bytes) -> dict[str, list | str]:
    """{rows: [[id, text, normalised], ...], malformed: [line numbers], encoding}; this format knows no quoting."""
    text, encoding = decode_text(data)
    rows, malformed = [], []
    for number, line in enumerate(text.replace("\r", "").split("\n"), start=1):
        if not line.strip():
            continue
        name, *texts = line.split("|")
        if name.strip() and len(texts) in (1, 2):
            rows.append([name.strip(), *map(one_line, [*texts, ""][:2])])
        else:
            malformed.append(number)
    return {"rows": rows, "malformed": malformed, "encoding": encoding}


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; rows and audio without each other are problems."""
    files = visible(files)
    audio = audio_files(files)
    ids, problems = name_recordings(audio)
    yield from problems
    by_stem = {unicodedata.normalize("NFC", without_suffix(path)): path for path in reversed(audio)}
    texts: dict[str, str] = {}
    tables = sorted(f for f in files if f.split("/")[-1] == TABLE)
    if not tables:
        yield Problem(TABLE, "is not there", "Add the table of texts; until then the recordings are taken without.")
    for table in tables:
        parsed = read(table, parse_metadata)
        yield from _table_problems(table, parsed)
        for name, written, normalised in parsed["rows"]:
            path = _find(table, name, by_stem)
            if path is None:
                yield Problem(table, f"names {name}, which has no audio", "Add the recording, or remove its row.")
            elif path in texts:
                yield Problem(table, f"names {name} more than once", "Remove all rows but one; the first is taken.")
            else:
                texts[path] = (settings.column == "normalised" and normalised) or written
                yield from text_problems(f"{table} {name}", texts[path])
    recordings = []
    for path in audio:
        if tables and path not in texts:
            yield Problem(path, f"has no row in any {TABLE}", "Add its text; until then it is kept without.")
        spans = (Span(None, None, texts[path]),) if texts.get(path) else ()
        recordings.append(Recording(ids[path], path, settings.speaker, settings.language, spans))
    yield from without_speaker(recordings)
    yield from recordings


def _find(table: str, name: str, by_stem: dict[str, str]) -> str | None:
    """The audio file that a row of a table names, with or without its suffix."""
    root = table[: -len(TABLE)]
    name = unicodedata.normalize("NFC", name)
    if any(name.lower().endswith(suffix) for suffix in AUDIO_SUFFIXES):
        name = without_suffix(name)
    return next(
        (by_stem[stem] for folder in ("wavs/", "audio/", "") if (stem := root + folder + name) in by_stem), None
    )


def _table_problems(table: str, parsed: dict) -> Iterator[Problem]:
    yield from encoding_problems(table, parsed["encoding"])
    for number in parsed["malformed"]:
        yield Problem(table, f"line {number} is not id|text or id|text|normalised", "Mend the line; it is left out.")


def tiny(folder: Path) -> None:
    """Three clips, one of them without a row."""
    (folder / "wavs").mkdir(parents=True)
    for name in ("LJ-1.wav", "LJ-2.wav", "LJ-3.wav"):
        (folder / "wavs" / name).write_bytes(b"")
    (folder / TABLE).write_text("LJ-1|Chapter 1|Chapter one\nLJ-2|comparatively modern.\n", encoding="utf-8")
