"""Clips with a table of what is known of them: any `*.tsv` with a header `file, text, language, speaker` and more.

`file` is relative to the table's folder and must be there; the other columns may be absent or empty. Columns of other
names go to the recordings' extras. Several tables may tell of one recording. Fields are divided by tabs, not quoted.
"""

import posixpath
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.layouts import (
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
)

PRECUT = True
OWN = ("file", "text", "language", "speaker")


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; a language or speaker in the table wins over the corpus'."""


def parse_table(data: bytes) -> dict[str, list | str]:
    """{rows: [{column: value}, ...], malformed: [[line, fields], ...], columns: [...], encoding}."""
    text, encoding = decode_text(data)
    lines = text.replace("\r", "").split("\n")
    columns = [name.strip() for name in lines[0].split("\t")]
    rows, malformed = [], []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if not line.strip():
            continue
        if len(fields) == len(columns):
            rows.append({name: field if name == "file" else one_line(field) for name, field in zip(columns, fields)})
        else:
            malformed.append([number, len(fields)])
    return {"rows": rows, "malformed": malformed, "columns": columns, "encoding": encoding}


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with what the tables say of it; one that no table names has no text."""
    files = visible(files)
    audio = audio_files(files)
    ids, problems = name_recordings(audio)
    yield from problems
    by_name = {unicodedata.normalize("NFC", path): path for path in audio}
    told: dict[str, dict[str, str]] = {}
    for table in sorted(f for f in files if f.endswith(".tsv")):
        parsed = read(table, parse_table)
        yield from _table_problems(table, parsed)
        for row in parsed["rows"] if "file" in parsed["columns"] else ():
            name = posixpath.normpath(posixpath.join(posixpath.dirname(table), row["file"]))
            path = by_name.get(unicodedata.normalize("NFC", name))
            if path is None:
                yield Problem(table, f"names {name}, which is not there", "Add the recording, or remove its row.")
                continue
            yield from _contradictions(table, path, row, told.setdefault(path, {}))
            told[path] |= {column: value for column, value in row.items() if not told[path].get(column)}
    recordings = [_recording(ids[path], path, told.get(path, {}), settings) for path in audio]
    for path in sorted(p for p, row in told.items() if "text" in row):
        yield from text_problems(path, told[path]["text"])
    yield from without_speaker(recordings)
    yield from recordings


def _contradictions(table: str, path: str, row: dict[str, str], known: dict[str, str]) -> Iterator[Problem]:
    """Columns in which a row says something else than the rows before it."""
    both = {column for column in known if column != "file" and known[column] and row.get(column)}
    other = [column for column in row if column in both and row[column] != known[column]]
    if other:
        what = f"says another {', '.join(other)} of {path} than the rows before it"
        yield Problem(table, what, "Remove one of the two; the first is taken.")


def _recording(id: str, path: str, row: dict[str, str], settings: Settings) -> Recording:
    texts = (Span(None, None, row["text"]),) if row.get("text") else ()
    extras = {column: value for column, value in row.items() if column not in OWN and value}
    speaker, language = row.get("speaker") or settings.speaker, row.get("language") or settings.language
    return Recording(id, path, speaker, language, texts, extras)


def _table_problems(table: str, parsed: dict) -> Iterator[Problem]:
    columns = parsed["columns"]
    if "file" not in columns:
        what = f"has the columns {', '.join(columns)}, and none is called file"
        yield Problem(table, what, f"Give it a first line with {', '.join(OWN)}; until then it is not used.")
        return
    yield from encoding_problems(table, parsed["encoding"])
    for number, fields in parsed["malformed"]:
        what = f"line {number} has {fields} fields under {len(columns)} columns"
        yield Problem(table, what, "Mend the line; it is left out.")


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them without a row."""
    (folder / "clips").mkdir(parents=True)
    for name in ("a.mp3", "b.wav", "c.wav"):
        (folder / "clips" / name).write_bytes(b"")
    table = "file\ttext\tlanguage\tspeaker\tstyle\nclips/a.mp3\tolá\tpt\tana\thappy\nclips/b.wav\thello\ten\tbob\t\n"
    (folder / "clips.tsv").write_text(table, encoding="utf-8")
