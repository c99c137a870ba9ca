"""What happens to a workspace's files behind everybody's back, and which finished items are whole after it."""

import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chain import Chain

from kaiku.errors import CorruptFile
from kaiku.store import digest
from kaiku.store.journal import Journal
from kaiku.store.stored import Stored, read_journal, read_table

NPY_HEADER = 128  # bytes


def files(root: Path) -> list[Path]:
    """Artefacts and working state; not the number of shards, which nothing could tell again."""
    found = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    return sorted(path for path in found if path.name not in ("corpus.json", "owner") and path.stat().st_size)


def payloads(root: Path) -> list[tuple[Path, list[int]]]:
    """Files of clips and tokens, with the places of their bytes that are neither header nor padding."""
    found = [(path, list(_payload_places(path))) for path in files(root) if path.suffix in (".tar", ".npy")]
    return [(path, places) for path, places in found if places]


def flip(path: Path, at: int, bit: int) -> None:
    """Change a bit in place, for all links of the file."""
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << bit]))


def intact_keys(chain: Chain, place: tuple[str, str], *, with_outputs: bool) -> set[str]:
    """Keys of a stage and shard of which a copy is intact."""
    stage, shard = place
    carry = chain.carry(stage, shard)
    if stage == "select":
        return set()
    if stage == "pack":
        return {path.parent.name for path in carry.glob("*/digest") if _is_intact_result(path.parent)}
    job = next(job for job in chain.jobs(shard) if job.stage == stage)
    artefact = chain.artefact(job)
    data = "data" if artefact.data_path else "rows.parquet"
    tables = [(generation / "rows.parquet", generation / data) for generation in sorted(carry.glob("g*"))]
    if with_outputs:
        outputs = (job.outputs[0], job.outputs[-1])
        # The next start links what stands there over what was linked aside before.
        tables.append(tuple(path if path.exists() else artefact.before / path.name for path in outputs))
    copies = [read_journal(Journal(carry / "attic")), read_journal(Journal(carry / "journal"))]
    for paths in tables:
        if all(path.exists() for path in paths):
            with suppress(CorruptFile):
                copies.append(read_table(*paths, artefact.schema, artefact.container))
    return {key for source in copies for key, entry in source.items() if _is_intact(entry)}


def _payload_places(path: Path) -> Iterator[int]:
    if path.suffix == ".npy":
        yield from range(NPY_HEADER, path.stat().st_size)
        return
    with suppress(tarfile.TarError), tarfile.open(path) as archive:
        for member in archive:
            yield from range(member.offset_data, member.offset_data + member.size)


def _is_intact(entry: Stored) -> bool:
    with suppress(CorruptFile):
        return all(True for _ in entry.payloads())
    return False


def _is_intact_result(folder: Path) -> bool:
    return digest.of_tree(folder / "files") == (folder / "digest").read_text(errors="replace")
