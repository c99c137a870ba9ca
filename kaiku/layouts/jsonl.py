"""Clips with a manifest of one JSON object a line, as NeMo and its kin have it: `audio_filepath`, `text`, `duration`.

Which fields hold what is a setting; other fields go to the extras, but for `duration` and `offset`. A file is named
from the manifest's folder or the corpus' own; an absolute path from before a move is found by its end.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible
from kaiku.layouts._tables import (
    Row,
    by_name,
    clips,
    find_moved,
    parse_objects,
    table_problems,
    tables_named,
    without,
)
from kaiku.strict import Strict

PRECUT = True


class Fields(Strict):
    """Names of fields; those of speaker and language may be absent."""

    file: str = Field("audio_filepath", description="Audio file.")
    text: str = Field("text", description="What is said in it.")
    speaker: str = Field("speaker", description="Who says it; where it tells, it wins over the corpus' speaker.")
    language: str = Field("lang", description="In which language; where it tells, it wins over the corpus'.")


class Settings(LayoutSettings):
    """Which manifests are read, and what their fields are called."""

    tables: tuple[str, ...] = Field(
        ("*.jsonl", "*manifest*.json"), description="Names of the manifests, as shell patterns."
    )
    fields: Fields = Field(default_factory=Fields, description="What the fields are called.")


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with what its line says."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, *settings.tables)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_objects), names, settings.fields))
    yield from clips(audio, " or ".join(settings.tables), tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str], fields: Fields) -> Iterator[Row | Problem]:
    yield from table_problems(table, parsed)
    for number, row in parsed["lines"]:
        if fault := _fault(row, fields):
            yield Problem(table, f"line {number} {fault}", "Mend the line or the settings; it is left out.")
            continue
        file, text = row[fields.file], row[fields.text]
        speaker, language = row.get(fields.speaker, ""), row.get(fields.language, "")
        extras = without(row, *fields.model_dump().values(), "duration", "offset")
        yield Row(table, file, find_moved(names, table, file), text, speaker, language, extras)


def _fault(row: dict[str, str], fields: Fields) -> str:
    """Why a line cannot be used; empty where it can."""
    if not row:
        return "is no JSON object"
    missing = [name for name in (fields.file, fields.text) if name not in row]
    if missing:
        return f"has no {' or '.join(missing)}"
    if row.get("offset", "").strip("0.") and fields.file != "offset":
        return f"is a part of a recording (offset {row['offset']}), where a file should be a clip"
    return ""


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them without a line."""
    (folder / "wavs").mkdir(parents=True)
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / "wavs" / name).write_bytes(b"")
    lines = (
        '{"audio_filepath": "wavs/a.wav", "text": "hyvää päivää", "duration": 1.25, "speaker": "aino", "snr": 31.5}',
        '{"audio_filepath": "/data/elsewhere/wavs/b.wav", "text": "kiitos", "duration": 0.9, "speaker": "otso"}',
    )
    (folder / "train_manifest.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
