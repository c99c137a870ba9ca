"""Row artefacts: parquet tables with a declared schema, byte-equal for equal rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kaiku.errors import CorruptFile
from kaiku.store import atomic

FORMAT = b"1"
_FORMAT = b"kaiku.format"
ROWS = b"kaiku.rows"
"""Metadata with the number of rows: pages have checksums, the footer that counts them has none."""

STATUS_OK, STATUS_EMPTY, STATUS_FAILED = "ok", "empty", "failed"

BOOKKEEPING = [
    pa.field("item", pa.string()),
    pa.field("key", pa.string()),
    pa.field("status", pa.string()),
    pa.field("error", pa.string()),
]
"""First columns of every item artefact: whose row it is, under which key it was made, and how that went."""


def schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    """An item artefact's schema: bookkeeping, then the stage's own columns."""
    return pa.schema([*BOOKKEEPING, *(pa.field(name, kind) for name, kind in columns)])


def table(rows: Iterable[dict[str, Any]], of: pa.Schema) -> pa.Table:
    """Rows as a table of exactly this schema; a missing column is null."""
    return pa.Table.from_pylist(list(rows), schema=of)


def write(path: Path, rows: pa.Table) -> None:
    """Write a table whole; the same rows give the same bytes under one pyarrow version."""
    tidy = rows.combine_chunks().replace_schema_metadata({_FORMAT: FORMAT, ROWS: b"%d" % len(rows)})
    with atomic.writing(path) as f:
        pq.write_table(
            tidy, f, compression="zstd", use_dictionary=False, row_group_size=1 << 20, write_page_checksum=True
        )


def read(path: Path, of: pa.Schema | None = None, columns: list[str] | None = None) -> pa.Table:
    """Read a table; with `of`, refuse one of another schema."""
    try:
        found = pq.read_table(path, columns=columns, page_checksum_verification=True, memory_map=True)
        names, metadata = found.schema.names, found.schema.metadata or {}
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise CorruptFile(
            f"{path}: not a readable table ({error})", remedy="Delete the file; the next run makes it again."
        ) from error
    if (own := metadata.get(_FORMAT, FORMAT)) != FORMAT:
        raise CorruptFile(
            f"{path}: format {own.decode(errors='replace')}",
            expected=f"format {FORMAT.decode()}",
            remedy="Delete the file; the next run makes it again. Or use the Kaiku that wrote it.",
        )
    rows = metadata.get(ROWS)
    if rows != b"%d" % len(found):
        raise CorruptFile(
            f"{path}: {len(found)} rows",
            expected=f"{(rows or b'its number of rows').decode(errors='replace')}, as it says itself",
            remedy="Delete the file; the next run makes it again.",
        )
    found = found.replace_schema_metadata(None)
    if of is not None and not found.schema.equals(of):
        raise CorruptFile(
            f"{path}: columns {names}",
            expected=f"columns {of.names}",
            remedy="Delete the file and run again.",
        )
    return found
