"""What layouts with tables of texts share: parsing the tables, finding the audio they name, one recording for each.

The parsers return {lines: [[line number, fields], ...], encoding, error}; blank lines are left out, and `error` says
where reading had to end. Fields are as written; what becomes a text or an extra is brought to one line at the end.
"""

import csv
import io
import json
import posixpath
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from kaiku.layouts import (
    AUDIO_SUFFIXES,
    Given,
    LayoutSettings,
    Problem,
    Recording,
    decode_text,
    encoding_problems,
    one_line,
    recordings_of,
    text_problems,
    whole,
    without_suffix,
)

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """What a row of a table says: the audio file, as the table names it and as a path (None: it is not there)."""

    table: str
    name: str
    path: str | None
    text: str
    speaker: str = ""
    language: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)


def parse_tabs(data: bytes) -> dict[str, Any]:
    """Fields divided by tabs, without quoting."""
    return _parse(data, lambda line: line.split("\t"))


def parse_bars(data: bytes) -> dict[str, Any]:
    """Fields divided by `|`, without quoting."""
    return _parse(data, lambda line: line.split("|"))


def parse_words(data: bytes) -> dict[str, Any]:
    """Two fields: the first word of a line, and the rest."""
    return _parse(data, lambda line: line.split(maxsplit=1))


def parse_quoted(data: bytes) -> dict[str, Any]:
    """Fields that may be quoted, divided by whichever of `, ; tab |` the first line that is not blank has most of.

    Reading ends at the first row that is not well quoted: an open quote takes the rows after it for its text.
    """
    text, encoding = decode_text(data)
    header = next(filter(str.strip, io.StringIO(text, newline=None)), "")
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=max(DELIMITERS, key=header.count), strict=True)
    lines, error, begun = [], "", 1
    try:
        for fields in reader:
            if any(part.strip() for part in fields):
                lines.append([reader.line_num, fields])
            begun = reader.line_num + 1
    except csv.Error as fault:
        error = f"line {begun}: {fault}"
    return {"lines": lines, "encoding": encoding, "error": error}


def parse_objects(data: bytes) -> dict[str, Any]:
    """One JSON object a line, as {key: text}; what is no text is written as JSON. A line that is none has no fields."""
    return _parse(data, _object)


def headed(table: str, parsed: dict[str, Any], needed: Collection[str]) -> Iterator[dict[str, str] | Problem]:
    """Rows by column, of a table whose first line names them; Problems for what is not used of it."""
    yield from table_problems(table, parsed)
    if not parsed["lines"]:
        return
    columns = [name.strip() for name in parsed["lines"][0][1]]
    missing = [name for name in needed if name not in columns]
    if missing:
        what = f"has the columns {', '.join(columns)}, and none is called {' or '.join(missing)}"
        yield Problem(table, what, "Mend its first line or the settings; until then it is not used.")
        return
    for number, fields in parsed["lines"][1:]:
        if len(fields) == len(columns):
            yield {name: value for name, value in zip(columns, fields) if name}
        else:
            what = f"line {number} has {len(fields)} fields under {len(columns)} columns"
            yield Problem(table, what, "Mend the line; it is left out.")


def headless(table: str, parsed: dict[str, Any], shape: str, counts: Collection[int]) -> Iterator[list[str] | Problem]:
    """Fields of each row of a table without header. shape: the row in words; counts: how many fields it may have."""
    yield from table_problems(table, parsed)
    for number, fields in parsed["lines"]:
        if len(fields) in counts and fields[0].strip():
            yield fields
        else:
            yield Problem(table, f"line {number} is not {shape}", "Mend the line; it is left out.")


def table_problems(table: str, parsed: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with a table as a whole."""
    yield from encoding_problems(table, parsed["encoding"])
    if parsed["error"]:
        what = f"cannot be read on from {parsed['error']}"
        yield Problem(table, what, "Mend the line (an open quote?); it and what follows are left out.")
    if not parsed["lines"]:
        yield Problem(table, "is empty", "Fill or remove it; until then it is not used.")


def tables_named(files: Iterable[str], *patterns: str) -> list[str]:
    """Files whose own name matches one of the shell patterns, sorted by path."""
    return sorted(f for f in files if any(fnmatchcase(posixpath.basename(f), pattern) for pattern in patterns))


def by_name(audio: Iterable[str]) -> dict[str, str]:
    """Audio files by the names a table may have for them: the path in NFC, and the same without its suffix."""
    paths = {unicodedata.normalize("NFC", path): path for path in sorted(audio, reverse=True)}
    return {without_suffix(name): path for name, path in paths.items()} | paths


def find(names: Mapping[str, str], table: str, name: str, places: Iterable[str] = ("",)) -> str | None:
    """The audio file that a table names, with its suffix, another or none, in places relative to the table's folder."""
    folder, name = posixpath.dirname(table), unicodedata.normalize("NFC", name.strip())
    if name in ("", "."):  # after a place, this would be the folder's own name
        return None
    stem, suffix = posixpath.splitext(name)
    for place in places:
        for wanted in (name, stem) if suffix.lower() in AUDIO_SUFFIXES else (name,):
            path = posixpath.normpath(posixpath.join(folder, place, wanted))
            if path in names:
                return names[path]
    return None


def find_moved(names: Mapping[str, str], table: str, name: str) -> str | None:
    """As `find`, from the table's folder or the corpus' own; an absolute path by the most of its end that is here."""
    name = posixpath.normpath(name.strip())
    parts = name.split("/")
    ends = ["/".join(parts[first:]) for first in range(1, len(parts))] if name.startswith("/") else [name]
    return next((path for end in ends for start in (table, "") if (path := find(names, start, end))), None)


def id_field(path: str, delimiter: str, number: int, *, of: int) -> str:
    """One field of a file's name, where it has as many as it should; else nothing."""
    fields = without_suffix(posixpath.basename(path)).split(delimiter)
    return fields[number] if len(fields) == of else ""


def without(row: Mapping[str, str], *columns: str) -> dict[str, str]:
    """The columns of a row that are not empty, on one line each, but for the named ones."""
    return {name: one_line(value) for name, value in row.items() if name not in columns and value.strip()}


def without_audio(table: str, name: str) -> Problem:
    """What is wrong with a row whose audio was not found."""
    if not name.strip():
        return Problem(table, "has a row that names no file", "Name its recording, or remove the row.")
    return Problem(table, f"names {one_line(name)}, which has no audio", "Add the recording, or remove its row.")


def clips(
    audio: Collection[str],
    kind: str,
    tables: Collection[str],
    rows: Iterable[Row | Problem],
    settings: LayoutSettings,
    speaker_of: Callable[[str], str] = lambda path: "",
    language_of: Callable[[str], str] = lambda path: "",
) -> Iterator[Recording | Problem]:
    """One recording for each audio file with what its row says; rows and audio without each other are Problems.

    kind: what the tables are called, in words; where there are no tables, that is the only Problem.
    """
    if not tables:
        yield Problem(kind, "is not there", "Add the table of texts; until then the recordings are taken without.")
    given: dict[str, Given] = {}
    for row in rows:
        if isinstance(row, Problem):
            yield row
        elif row.path is None:
            yield without_audio(row.table, row.name)
        elif row.path in given:
            what = f"names {one_line(row.name)} more than once"
            yield Problem(row.table, what, "Remove all rows but one; the first is taken.")
        else:
            text = one_line(row.text)
            yield from text_problems(f"{row.table} {one_line(row.name)}", text)
            given[row.path] = Given(whole(text), one_line(row.speaker), row.language.strip(), dict(row.extras))
    for path in sorted(set(audio) - given.keys()) if tables else ():
        yield Problem(path, f"has no row in any {kind}", "Add its text; until then it is kept without.")
    yield from recordings_of(audio, given, settings, speaker_of, language_of)


def _parse(data: bytes, split: Callable[[str], Any]) -> dict[str, Any]:
    text, encoding = decode_text(data)
    lines = enumerate(text.split("\n"), start=1)
    return {"lines": [[n, split(line)] for n, line in lines if line.strip()], "encoding": encoding, "error": ""}


def _object(line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return {_as_text(key): _as_text(inner) for key, inner in value.items()} if isinstance(value, dict) else {}


def _as_text(value: Any) -> str:
    """Text that can be written as UTF-8: JSON may escape half a character."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.encode(errors="replace").decode()
