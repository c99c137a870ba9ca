"""Read sentences as FLEURS has them: `<split>.tsv` without header and `audio/<split>/<file>` (or `<split>/<file>`).

Columns: id of the sentence, file, text as written, text normalised, its characters, number of samples, gender. The
corpus does not tell who speaks.
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, visible, without_suffix
from kaiku.layouts._tables import Row, by_name, clips, find, headless, parse_tabs, tables_named

PRECUT = True
TABLES = ("train.tsv", "dev.tsv", "test.tsv")


class Settings(LayoutSettings):
    """Which of the two texts counts."""

    column: Literal["raw", "normalised"] = Field(
        "raw", description="Which column is taken: `raw` has capitals and punctuation, `normalised` has neither."
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text of its row; extras: sentence, gender, the corpus' own split."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, *TABLES)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_tabs), names, settings))
    yield from clips(audio, " or ".join(TABLES), tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str], settings: Settings) -> Iterator[Row | Problem]:
    split = without_suffix(posixpath.basename(table))
    shape = "id, file, raw, normalised, characters, samples, gender"
    for row in headless(table, parsed, shape, (7,)):
        if isinstance(row, Problem):
            yield row
            continue
        sentence, name, raw, normalised, _, _, gender = row
        path = find(names, table, name, (f"audio/{split}", split))
        extras = {"sentence": sentence.strip(), "gender": gender.strip().lower(), "split": split}
        yield Row(table, name, path, raw if settings.column == "raw" else normalised, extras=extras)


def tiny(folder: Path) -> None:
    """Three clips in two splits, one of them without a row."""
    for path in ("train/101.wav", "train/102.wav", "dev/103.wav"):
        (folder / "audio" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "audio" / path).write_bytes(b"")
    train = "7\t101.wav\tHyvää päivää!\thyvää päivää\th y v ä ä | p ä i v ä ä |\t16000\tFEMALE\n"
    (folder / "train.tsv").write_text(train, encoding="utf-8")
    dev = "9\t103.wav\tKiitos.\tkiitos\tk i i t o s |\t9600\tMALE\n"
    (folder / "dev.tsv").write_text(dev, encoding="utf-8")
