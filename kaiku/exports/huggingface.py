"""A dataset folder that `datasets.load_dataset` reads: parquet with the audio inside, or files with their metadata.

Splits are called train, validation and test. README.md is the dataset's card; it says where a corpus is not for
re-hosting. Feature types stand in the parquet schema as the library itself puts them there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from kaiku.exports import About, ExportClip
from kaiku.exports._audio import flac_bytes, wav_bytes
from kaiku.exports._card import card
from kaiku.exports._tables import json_line, lines
from kaiku.strict import Strict

LIBRARIES = ("pyarrow",)
NEEDS_TEXT = False
TAKES_TOKENS = False

CALLED = {"train": "train", "val": "validation", "test": "test"}
GROUP_BYTES = 16 << 20  # of audio in a row group: what is held in memory for each split
TEXTS = ("text", "speaker", "language", "licence", "corpus", "clip")


class Settings(Strict):
    """Which of the two forms, and the form of the audio in it."""

    form: Literal["parquet", "audiofolder"] = Field(
        "parquet", description="`parquet` holds the audio; `audiofolder` has files and a metadata.jsonl by split."
    )
    audio: Literal["flac", "wav"] = Field("flac", description="Form of the audio, both 16 bit.")
    sample_rate: int | None = Field(None, ge=4_000, le=192_000, description="Hz; null: each clip as recorded.")
    file_mb: int = Field(400, ge=1, le=4_000, description="MB after which another parquet file is begun.")


def write(clips: Iterator[ExportClip], about: About, folder: Path, settings: Settings) -> None:
    """Fill the folder."""
    written = _write_parquet if settings.form == "parquet" else _write_files
    written(clips, folder, settings)
    pattern = "data/{}-*.parquet" if settings.form == "parquet" else "data/{}/**"
    files = {CALLED[split]: pattern.format(CALLED[split]) for split in CALLED if about.clips.get(split)}
    (folder / "README.md").write_text(card(about, files), encoding="utf-8")


def _row(clip: ExportClip, duration_s: float) -> dict[str, Any]:
    return {**{name: getattr(clip, name) for name in TEXTS}, "duration": round(duration_s, 6)}


def _encoded(clip: ExportClip, settings: Settings) -> tuple[bytes, float]:
    pcm = clip.pcm(settings.sample_rate)
    encode = flac_bytes if settings.audio == "flac" else wav_bytes
    return encode(pcm.levels, pcm.sample_rate), pcm.duration_s


def _write_files(clips: Iterator[ExportClip], folder: Path, settings: Settings) -> None:
    with lines(folder) as tables:
        for clip in clips:
            place, name = f"data/{CALLED[clip.split]}", f"{clip.name}.{settings.audio}"
            data, duration_s = _encoded(clip, settings)
            tables.add(f"{place}/metadata.jsonl", json_line({"file_name": name, **_row(clip, duration_s)}))
            (folder / place / name).write_bytes(data)


def _write_parquet(clips: Iterator[ExportClip], folder: Path, settings: Settings) -> None:
    (folder / "data").mkdir()
    splits: dict[str, _Split] = {}
    try:
        for clip in clips:
            if clip.split not in splits:
                splits[clip.split] = _Split(folder / "data", CALLED[clip.split], settings)
            data, duration_s = _encoded(clip, settings)
            audio = {"bytes": data, "path": f"{clip.name}.{settings.audio}"}
            splits[clip.split].add({"audio": audio, **_row(clip, duration_s)}, len(data))
    finally:
        for split in splits.values():
            split.close()
    for split in splits.values():
        split.number_files()


class _Split:
    """The parquet files of one split, which carry their number and how many there are."""

    def __init__(self, folder: Path, name: str, settings: Settings):
        self.folder, self.name, self.most = folder, name, settings.file_mb << 20
        self.schema = schema(settings.sample_rate)
        self.files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._held = self._size = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """One clip more."""
        self._rows.append(row)
        self._held += size
        if self._held >= GROUP_BYTES:
            self._flush()
        if self._size >= self.most:
            self._end()

    def close(self) -> None:
        """Write what is held."""
        self._flush()
        self._end()

    def number_files(self) -> None:
        """Give the files the names by which readers find them."""
        for number, path in enumerate(self.files):
            path.rename(self.folder / f"{self.name}-{number:05d}-of-{len(self.files):05d}.parquet")

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self.files.append(self.folder / f"{self.name}-{len(self.files):05d}.unnumbered")
            self._writer = pq.ParquetWriter(self.files[-1], self.schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, self.schema))
        self._size += self._held
        self._rows, self._held = [], 0

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._size = None, 0


def schema(sample_rate: int | None) -> pa.Schema:
    """Columns of a parquet file, with the feature types under `huggingface`."""
    features: dict[str, Any] = {"audio": {"_type": "Audio"} | ({"sampling_rate": sample_rate} if sample_rate else {})}
    features |= {name: {"dtype": "string", "_type": "Value"} for name in TEXTS}
    features["duration"] = {"dtype": "float64", "_type": "Value"}
    columns = [("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    columns += [(name, pa.string()) for name in TEXTS] + [("duration", pa.float64())]
    return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": features}})})
