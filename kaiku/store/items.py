"""Item stages: a shard's artefact made again by computing only the items whose key is not there yet.

Beside the artefact, which Snakemake deletes before a job, stands a carry folder: the last committed generation, a
journal of items finished since, and a capped attic of rows that nothing refers to now. A job looks each item up by key,
computes the rest, and commits data and rows together; outputs are hard links to the committed generation, whole, in
canonical order, byte-equal to those of a clean build.
"""

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kaiku.errors import NO_ROOM, CorruptFile, KaikuError
from kaiku.progress import log, track
from kaiku.store import atomic, digest, rows
from kaiku.store.containers import Container
from kaiku.store.journal import Journal
from kaiku.store.owner import Owner, owning
from kaiku.store.spool import Payload, content
from kaiku.store.statcache import signature
from kaiku.store.stored import Assembly, Label, Listed, Stored, from_journal, read_journal, read_table

ATTIC_BYTES = 256 << 20
ROW_BYTES = 256  # roughly what a row takes beside its payload

ROWS, DATA = "rows.parquet", "data"
"""Names in a generation; outputs are links to them."""


@dataclass(frozen=True)
class Item:
    """One unit of work: an id unique in the shard, its key, what to compute from, and what to call its rows.

    `label` gives columns that name a row but do not enter its key (clip id, speaker...), so a renamed item is reused.
    """

    id: str
    key: str
    work: Any
    label: Label = lambda row: {}


@dataclass(frozen=True)
class Outcome:
    """What an item came to: its rows (one at least), one payload (or None) a row, and how it went."""

    rows: list[dict[str, Any]]
    payloads: list[Payload | None] = field(default_factory=list)
    status: str = rows.STATUS_OK
    error: str = ""

    def __post_init__(self):
        if not self.rows:  # it would leave no trace of its key, and be computed again by every job
            raise KaikuError("an item came to no rows", expected="one at least; `empty` is a row without a payload")


@dataclass(frozen=True)
class Counts:
    """Items of one job: computed now, reused from earlier, failed now; and stored items found damaged."""

    computed: int = 0
    reused: int = 0
    failed: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class Artefact:
    """Where a shard's artefact stands and how it is laid out.

    before: the artefact as it was before this job, linked there because the workflow deletes outputs (may be absent).
    """

    rows_path: Path
    data_path: Path | None
    schema: pa.Schema
    container: Container | None
    carry: Path
    before: Path | None = None
    name_column: str = "clip"


Compute = Callable[[list[Item]], Iterator[tuple[Item, Outcome]]]


def each(work: Callable[[Any], Outcome]) -> Compute:
    """A stage's per-item function as a Compute: an item that breaks is a failed outcome, not a failed job."""

    def compute(items: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        for item in items:
            yield item, attempt(work, item.work)

    return compute


def attempt(work: Callable[[Any], Outcome], given: Any) -> Outcome:
    """The outcome of one call; an error becomes a failed outcome with its text.

    Memory or disk running out is nothing the item did: it stops the job.
    """
    try:
        return work(given)
    except MemoryError:
        raise
    except OSError as error:
        if error.errno in (*NO_ROOM, errno.EROFS):
            raise
        return failed(f"{type(error).__name__}: {error}")
    except KaikuError as error:
        return failed(str(error))
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}")


def failed(error: str) -> Outcome:
    """The outcome of an item that broke."""
    return Outcome([{}], status=rows.STATUS_FAILED, error=error)


def run(artefact: Artefact, items: Iterable[Item], compute: Compute, *, label: str, max_failed: float) -> Counts:
    """Bring a shard's artefact up to date and publish it.

    items: in canonical order. compute: called once with the missing items, only if there are any.
    max_failed: share of the items (0..1) that may fail. Raises KaikuError above it, after the finished ones are safe.
    """
    with owning(artefact.carry) as owner:
        return _Run(artefact, list(items), owner).finish(compute, label, max_failed)


def kept(artefact: Artefact) -> dict[str, Stored]:
    """Every finished item of a shard by key, oldest first, whatever it belongs to now; of several, the newest wins."""
    return {key: copies[0] for key, copies in _copies(artefact).items()}


def _copies(artefact: Artefact) -> dict[str, list[Stored]]:
    """Every finished item of a shard by key, oldest first: its copies, the newest first.

    A power cut may leave a torn pair of links beside an older copy that is whole.
    """
    found = [dict(reversed(read_journal(Journal(artefact.carry / "attic")).items()))]
    found += [_read(artefact, *paths) for paths in _tables(artefact)]
    found.append(read_journal(Journal(artefact.carry / "journal")))
    by_key: dict[str, list[Stored]] = {}
    for source in found:
        for key, stored in source.items():
            by_key[key] = [stored, *by_key.pop(key, [])]  # as young as its newest copy
    return by_key


def _tables(artefact: Artefact) -> list[tuple[Path, Path]]:
    """Rows and data of earlier states, oldest first; what was linked aside is most often the last generation."""
    tables = [(generation / ROWS, generation / DATA) for generation in _generations(artefact)]
    aside = _before(artefact)
    if aside and not any(_same(aside, paths) for paths in tables):
        tables.insert(0, aside)
    return [paths for paths in tables if paths[0].exists()]


def _read(artefact: Artefact, rows_path: Path, data_path: Path) -> dict[str, Stored]:
    try:
        return read_table(rows_path, data_path, artefact.schema, artefact.container)
    except (CorruptFile, FileNotFoundError) as error:
        log(f"not reused: {error}")
        return {}


def _before(artefact: Artefact) -> tuple[Path, ...]:
    """Rows and data as they were linked aside; nothing where that is not done."""
    before, own = artefact.before, artefact
    return (before / own.rows_path.name, before / _name(own.data_path)) if before is not None else ()


def _generations(artefact: Artefact) -> list[Path]:
    return sorted(artefact.carry.glob("g[0-9]*"))


class _Run:
    def __init__(self, artefact: Artefact, items: list[Item], owner: Owner):
        self.artefact, self.items, self.owner = artefact, items, owner
        self.journal = Journal(artefact.carry / "journal")
        self.attic = Journal(artefact.carry / "attic")
        self.next_attic = Journal(artefact.carry / "attic.new")
        self.outputs = {ROWS: artefact.rows_path} | ({DATA: artefact.data_path} if artefact.data_path else {})
        self.damaged = 0

    def finish(self, compute: Compute, label: str, max_failed: float) -> Counts:
        self._sweep()
        found = _copies(self.artefact)
        done: dict[str, Stored] = {}
        missing = []
        for item in self.items:
            if stored := self._intact(item, found.get(item.key, [])):
                done[item.key] = stored
            else:
                missing.append(item)
        unique = list({item.key: item for item in missing}.values())
        broken = self._compute(unique, compute, label, done) if unique else {}
        failures = {item.id: broken[item.key] for item in self.items if item.key in broken}
        computed = len(unique) - len(broken)
        _refuse_many_failures(failures, len(self.items), max_failed, label)
        self._commit(done, found)
        return Counts(computed, len(self.items) - computed - len(failures), len(failures), self.damaged)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written, here and beside the outputs."""
        for unfinished in self.artefact.carry.glob(".g*"):
            shutil.rmtree(unfinished)
        self.next_attic.discard()
        for output in self.outputs.values():
            atomic.sweep(output)

    def _compute(self, missing: list[Item], compute: Compute, label: str, done: dict[str, Stored]) -> dict[str, str]:
        """Journal each outcome as it comes; returns errors by key."""
        broken: dict[str, str] = {}
        for item, outcome in track(compute(missing), total=len(missing), label=label):
            payloads = outcome.payloads or [None] * len(outcome.rows)
            named = [_digested(row, payload) for row, payload in zip(outcome.rows, payloads, strict=True)]
            if outcome.status == rows.STATUS_FAILED:
                log(f"{label}: {item.id} failed: {outcome.error}")
                broken[item.key] = outcome.error
                done[item.key] = Stored(outcome.status, outcome.error, Listed(named), range(len(named)))
            else:
                record = self.journal.append(item.key, outcome.status, outcome.error, named, payloads)
                done[item.key] = from_journal(self.journal, record)
        self.journal.close()
        return broken

    def _intact(self, item: Item, copies: list[Stored]) -> Stored | None:
        """The newest copy of an item that is whole."""
        faults = []
        for stored in copies:
            try:
                for _ in stored.payloads():
                    pass
            except CorruptFile as error:
                faults.append(error)
            else:
                return stored
        if faults:
            log(f"made again: {item.id}: {faults[0]}")
            self.damaged += 1
        return None

    def _commit(self, done: dict[str, Stored], kept: dict[str, list[Stored]]) -> None:
        """Write a new generation whole, point the outputs at it, then let go of what it replaces."""
        self.owner.check()
        old = _generations(self.artefact)
        number = int(old[-1].name[1:]) + 1 if old else 1
        generation = self.artefact.carry / f"g{number:06d}"
        with atomic.folder(generation) as building:
            self._write(building, done)
        self.owner.check()
        for name, output in self.outputs.items():
            atomic.link(generation / name, output)
        for folder in {output.parent for output in self.outputs.values()}:
            atomic.fsync(folder)
        self._keep_unreferenced(done, kept)
        self.journal.discard()
        for folder in old:
            shutil.rmtree(folder)
        for path in _before(self.artefact):
            path.unlink(missing_ok=True)

    def _write(self, folder: Path, done: dict[str, Stored]) -> None:
        assembly = Assembly(self.artefact.schema, self.artefact.name_column)
        for item in self.items:
            assembly.add(item.id, item.key, done[item.key], item.label)
        assembly.write(folder / ROWS, folder / DATA, self.artefact.container)

    def _keep_unreferenced(self, done: dict[str, Stored], kept: dict[str, list[Stored]]) -> None:
        """Rows that nothing refers to now go to the attic, newest first: a change undone costs nothing."""
        already = {record.key for record in self.attic.read()}
        dropped = [key for key in kept if key not in done]
        if all(key in already for key in dropped):
            return
        room = ATTIC_BYTES
        for key in reversed(dropped):
            for stored in kept[key]:
                try:
                    payloads = list(stored.payloads())
                    break
                except CorruptFile as error:
                    log(f"not kept: {error}")
            else:
                continue
            size = sum(len(p) for p in payloads if p is not None) + ROW_BYTES * len(payloads)
            if size <= room:
                room -= size
                self.next_attic.append(key, stored.status, stored.error, stored.rows(), payloads)
        self.next_attic.close()
        if self.next_attic.path.exists():
            self.next_attic.path.replace(self.attic.path)
            atomic.fsync(self.artefact.carry)
        else:
            self.attic.discard()


def _digested(row: dict[str, Any], payload: Payload | None) -> dict[str, Any]:
    return row if payload is None else {**row, "digest": digest.of_bytes(content(payload))}


def _same(paths: tuple[Path, Path], others: tuple[Path, Path]) -> bool:
    return all(signature(path) == signature(other) for path, other in zip(paths, others, strict=True))


def _name(path: Path | None) -> str:
    return path.name if path is not None else "-"


def _refuse_many_failures(failures: dict[str, str], total: int, max_failed: float, label: str) -> None:
    if len(failures) <= max_failed * total:
        return
    shown = "; ".join(f"{item}: {error}" for item, error in list(failures.items())[:3])
    raise KaikuError(
        f"{label}: {len(failures)} of {total} items failed ({shown})",
        expected=f"at most {max_failed:.0%}",
        remedy="Finished items are kept. Mend or remove these, or raise the corpus' max_failed, and run again.",
    )
