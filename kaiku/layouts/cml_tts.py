"""Audio books as CML-TTS has them: `train.csv`, `dev.csv`, `test.csv` with a header, divided by `|`, beside the audio.

Columns used: `wav_filename`, relative to the table, `transcript`, `client_id` as speaker, and for the extras
`transcript_wav2vec`, what a recogniser heard, and `levenshtein`, how alike the two are.
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kaiku.layouts import LayoutSettings, Problem, Read, Recording, audio_files, one_line, visible, without_suffix
from kaiku.layouts._tables import Row, by_name, clips, find, headed, parse_bars, tables_named

PRECUT = True
TABLES = ("train.csv", "dev.csv", "test.csv")
EXTRAS = ("transcript_wav2vec", "levenshtein")


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; the speaker is the table's `client_id`."""


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with what its row says; extras: see above, and the corpus' own split."""
    files = visible(files)
    audio, tables = audio_files(files), tables_named(files, *TABLES)
    names = by_name(audio)
    rows = (row for table in tables for row in _rows(table, read(table, parse_bars), names))
    yield from clips(audio, " or ".join(TABLES), tables, rows, settings)


def _rows(table: str, parsed: dict, names: Mapping[str, str]) -> Iterator[Row | Problem]:
    split = without_suffix(posixpath.basename(table))
    for row in headed(table, parsed, ("wav_filename", "transcript")):
        if isinstance(row, Problem):
            yield row
            continue
        name, speaker = row["wav_filename"], row.get("client_id", "")
        extras = {column: one_line(row[column]) for column in EXTRAS if row.get(column, "").strip()}
        yield Row(table, name, find(names, table, name), row["transcript"], speaker, extras=extras | {"split": split})


def tiny(folder: Path) -> None:
    """Three clips of two readers in two splits, one of them without a row."""
    for path in ("train/audio/10/20/a.wav", "train/audio/10/20/b.wav", "dev/audio/11/7/c.wav"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    header = "wav_filename|wav_filesize|transcript|transcript_wav2vec|levenshtein|duration|num_words|client_id\n"
    train = "train/audio/10/20/a.wav|9644|Era uma vez.|era uma ves|0.91|0.9|3|10\n"
    (folder / "train.csv").write_text(header + train, encoding="utf-8")
    dev = "dev/audio/11/7/c.wav|9644|Um dia.|um dia|1.0|0.7|2|11\n"
    (folder / "dev.csv").write_text(header + dev, encoding="utf-8")
