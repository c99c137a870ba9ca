"""The item artefacts of a workspace: their columns, their containers, and where each shard's stands."""

from pathlib import Path

import pyarrow as pa

from kaiku.store import rows
from kaiku.store.containers import Container, Npy, Tar
from kaiku.store.items import Artefact

_text, _real, _whole = pa.string(), pa.float64(), pa.int64()

SEGMENTS = rows.schema(
    ("clip", _text),  # {recording}@{start ms}-{end ms}, or the recording's id where that is the clip
    ("recording", _text),
    ("start_s", _real),
    ("end_s", _real),
    ("recording_s", _real),
    ("sample_rate", _whole),  # Hz
    ("channels", _whole),  # of the recording; clips are mono
    ("gain_db", _real),  # laid on the clip so that it fits FLAC; reading takes it off again
    ("treatment", _text),  # what was done to the clip's samples: "notch 60,120 Hz"; empty where nothing
    ("hum_db", _real),  # of the recording between speech: see kaiku.audio.hum; null where it was not measurable
    ("hum_hz", _real),  # the mains frequency, 50 or 60, that hum_db is of
    ("hum_harmonics", _text),  # Hz of those that stand out, "60,120,180"
    ("peak", _real),  # of the samples before any gain; may be above 1.0
    ("speaker", _text),
    ("language", _text),
    ("path", _text),  # the raw file itself where it is referenced, relative to the corpus' folder; else empty
    ("digest", _text),  # of the FLAC bytes, or of the raw file
    *Tar.columns,
)
"""One row per clip, and one without a clip for a recording that held no speech (empty) or broke (failed)."""

TRANSCRIPTS = rows.schema(
    ("clip", _text), ("text_raw", _text), ("text", _text), ("confidence", _real), ("language", _text)
)

MEASURES = rows.schema(("clip", _text), ("check", _text), ("measure", _text), ("value", _real))
"""One row per clip and measure; a null value is "not measurable". Long, not wide: another check changes no column."""

DESCRIPTIONS = rows.schema(("clip", _text), ("speaker", _text), ("check", _text), ("vector", pa.list_(pa.float32())))
"""One row per clip and comparison; a null vector is "cannot be described"."""

TOKENS = rows.schema(("clip", _text), ("digest", _text), *Npy.columns)

SELECTION = pa.schema(
    [
        ("clip", _text),
        ("recording", _text),
        ("speaker", _text),
        ("language", _text),
        ("duration_s", _real),
        ("kept", pa.bool_()),
        ("reason", _text),  # code of the first thing that was against it; empty where it is kept
        ("warnings", _text),  # codes of what is said against a clip that is kept, with commas between
        ("split", _text),
        ("text", _text),
        ("recording_s", _real),
        ("review", _text),  # verdict of somebody who listened: keep, reject, text, or empty
    ]
)
"""One row per segments row of the shard: sums balance from source seconds to kept seconds."""


def segments(rows_path: Path, audio_path: Path, carry: Path, before: Path | None = None) -> Artefact:
    """A shard of clips: rows and FLAC in a tar."""
    return Artefact(rows_path, audio_path, SEGMENTS, Tar(".flac"), carry, before)


def transcripts(rows_path: Path, carry: Path, before: Path | None = None) -> Artefact:
    """A shard of texts."""
    return Artefact(rows_path, None, TRANSCRIPTS, None, carry, before)


def measures(rows_path: Path, carry: Path, before: Path | None = None) -> Artefact:
    """A shard of measures, of audio or of texts."""
    return Artefact(rows_path, None, MEASURES, None, carry, before)


def descriptions(rows_path: Path, carry: Path, before: Path | None = None) -> Artefact:
    """A shard of what comparisons need."""
    return Artefact(rows_path, None, DESCRIPTIONS, None, carry, before)


def tokens(rows_path: Path, codes_path: Path, codebooks: int, carry: Path, before: Path | None = None) -> Artefact:
    """A shard of tokens: rows and one uint16 `.npy` [frames of all clips, codebooks]."""
    container: Container = Npy(codebooks)
    return Artefact(rows_path, codes_path, TOKENS, container, carry, before)
