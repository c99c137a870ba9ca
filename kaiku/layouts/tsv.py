"""Clips with a table of what is known of them: any `*.tsv` with a header `file, text, language, speaker` and more.

`file` is relative to the table's folder and must be there; the other columns may be absent or empty. Columns of other
names go to the recordings' extras. Several tables may tell of one recording. Fields are divided by tabs, not quoted.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.layouts import (
    Given,
    LayoutSettings,
    Problem,
    Read,
    Recording,
    audio_files,
    one_line,
    recordings_of,
    text_problems,
    visible,
    whole,
)
from kaiku.layouts._tables import by_name, find, headed, parse_tabs, without, without_audio

PRECUT = True
OWN = ("file", "text", "language", "speaker")


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; a language or speaker in the table wins over the corpus'."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with what the tables say of it; one that no table names has no text."""
    files = visible(files)
    audio = audio_files(files)
    names = by_name(audio)
    told: dict[str, dict[str, str]] = {}
    for table in sorted(f for f in files if f.endswith(".tsv")):
        for row in headed(table, read(table, parse_tabs), ("file",)):
            if isinstance(row, Problem):
                yield row
                continue
            path = find(names, table, row["file"])
            if path is None:
                yield without_audio(table, row["file"])
                continue
            row = {column: one_line(value) for column, value in row.items()}
            yield from _contradictions(table, path, row, told.setdefault(path, {}))
            told[path] |= {column: value for column, value in row.items() if not told[path].get(column)}
    for path in sorted(p for p, row in told.items() if "text" in row):
        yield from text_problems(path, told[path]["text"])
    yield from recordings_of(audio, {path: _given(row) for path, row in told.items()}, settings)


def _contradictions(table: str, path: str, row: dict[str, str], known: dict[str, str]) -> Iterator[Problem]:
    """Columns in which a row says something else than the rows before it."""
    both = {column for column in known if column != "file" and known[column] and row.get(column)}
    other = [column for column in row if column in both and row[column] != known[column]]
    if other:
        what = f"says another {', '.join(other)} of {path} than the rows before it"
        yield Problem(table, what, "Remove one of the two; the first is taken.")


def _given(row: dict[str, str]) -> Given:
    text, speaker, language = (row.get(column, "") for column in ("text", "speaker", "language"))
    return Given(whole(text), speaker, language, without(row, *OWN))


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them without a row."""
    (folder / "clips").mkdir(parents=True)
    for name in ("a.mp3", "b.wav", "c.wav"):
        (folder / "clips" / name).write_bytes(b"")
    table = "file\ttext\tlanguage\tspeaker\tstyle\nclips/a.mp3\tolá\tpt\tana\thappy\nclips/b.wav\thello\ten\tbob\t\n"
    (folder / "clips.tsv").write_text(table, encoding="utf-8")
