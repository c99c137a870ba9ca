"""Artefacts as data frames, for stages that look at whole tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from kaiku.store import rows
from kaiku.store.artefacts import MEASURES, SEGMENTS, SELECTION, TRANSCRIPTS

if TYPE_CHECKING:
    import pandas as pd


def segments(path: Path) -> "pd.DataFrame":
    """A shard's segments."""
    return rows.read(path, SEGMENTS).to_pandas()


def times(segments: "pd.DataFrame") -> Iterator[tuple[str, str, float, float]]:
    """(clip, recording, start_s, end_s) of each clip."""
    clips = segments[segments["status"] == rows.STATUS_OK]
    return zip(*(clips[name] for name in ("clip", "recording", "start_s", "end_s")))


def transcripts(path: Path) -> "pd.DataFrame":
    """A shard's transcripts."""
    return rows.read(path, TRANSCRIPTS).to_pandas()


def write_transcripts(path: Path, frame: "pd.DataFrame") -> None:
    """Write a shard's transcripts."""
    rows.write(path, pa.Table.from_pandas(frame, schema=TRANSCRIPTS, preserve_index=False))


def measures(*paths: Path) -> "pd.DataFrame":
    """A shard's measures, one row per clip and measure, from all the tables that hold some."""
    return pa.concat_tables([rows.read(path, MEASURES) for path in paths]).to_pandas()


def write_selection(path: Path, frame: "pd.DataFrame") -> None:
    """Write a shard's decisions; without a column `review`, nobody reviewed them."""
    frame = frame if "review" in frame else frame.assign(review="")
    rows.write(path, pa.Table.from_pandas(frame, schema=SELECTION, preserve_index=False))


def selection(path: Path) -> "pd.DataFrame":
    """A shard's decisions."""
    return rows.read(path, SELECTION).to_pandas()
