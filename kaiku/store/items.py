"""Item stages: a shard's artefact made again by computing only the items whose key is not there yet.

Beside the artefact, which Snakemake deletes before a job, stands a carry folder: the last committed generation, a
journal of items finished since, and a capped attic of rows that nothing refers to now. A job looks each item up by key,
computes the rest, and commits data and rows together; outputs are hard links to the committed generation, whole, in
canonical order, byte-equal to those of a clean build.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kaiku.errors import CorruptFile, KaikuError
from kaiku.progress import log, track
from kaiku.store import atomic, digest, rows
from kaiku.store.containers import Container
from kaiku.store.journal import Journal
from kaiku.store.owner import Owner, owning
from kaiku.store.spool import Payload, content

ATTIC_BYTES = 256 << 20
ROW_BYTES = 256  # roughly what a row takes beside its payload


@dataclass(frozen=True)
class Item:
    """One unit of work: an id unique in the shard, its key, what to compute from, and what to call its rows.

    `label` gives columns that name a row but do not enter its key (clip id, speaker...), so a renamed item is reused.
    """

    id: str
    key: str
    work: Any
    label: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: {}


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
    """The outcome of one call; an error becomes a failed outcome with its text. Memory running out stops the job."""
    try:
        return work(given)
    except MemoryError:
        raise
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


class _Run:
    def __init__(self, artefact: Artefact, items: list[Item], owner: Owner):
        self.artefact, self.items, self.owner = artefact, items, owner
        self.journal = Journal(artefact.carry / "journal")
        self.attic = Journal(artefact.carry / "attic")
        self.damaged = 0

    def finish(self, compute: Compute, label: str, max_failed: float) -> Counts:
        kept = self._kept()
        done: dict[str, _Stored] = {}
        missing = []
        for item in self.items:
            stored = kept.get(item.key)
            if stored is not None and self._intact(item, stored):
                done[item.key] = stored
            else:
                missing.append(item)
        unique = list({item.key: item for item in missing}.values())
        broken = self._compute(unique, compute, label, done) if unique else {}
        failures = {item.id: broken[item.key] for item in self.items if item.key in broken}
        computed = len(unique) - len(broken)
        _refuse_many_failures(failures, len(self.items), max_failed, label)
        self._commit(done, kept)
        return Counts(computed, len(self.items) - computed - len(failures), len(failures), self.damaged)

    def _compute(self, missing: list[Item], compute: Compute, label: str, done: dict[str, "_Stored"]) -> dict[str, str]:
        """Journal each outcome as it comes; returns errors by key."""
        broken: dict[str, str] = {}
        for item, outcome in track(compute(missing), total=len(missing), label=label):
            payloads = outcome.payloads or [None] * len(outcome.rows)
            named = [_digested(row, payload) for row, payload in zip(outcome.rows, payloads, strict=True)]
            if outcome.status == rows.STATUS_FAILED:
                log(f"{label}: {item.id} failed: {outcome.error}")
                broken[item.key] = outcome.error
                done[item.key] = _Stored(outcome.status, outcome.error, named, lambda row: None)
            else:
                record = self.journal.append(item.key, outcome.status, outcome.error, named, payloads)
                done[item.key] = _from_journal(self.journal, record)
        self.journal.close()
        return broken

    def _kept(self) -> dict[str, "_Stored"]:
        """Everything there is by key, oldest first; of several, the newest wins."""
        sources = [(g / "rows.parquet", g / "data") for g in self._generations()]
        if self.artefact.before is not None:
            before = self.artefact.before
            sources.insert(0, (before / self.artefact.rows_path.name, before / _name(self.artefact.data_path)))
        found = [dict(reversed(_read_journal(self.attic).items()))]
        found += [self._read(rows_path, data_path) for rows_path, data_path in sources if rows_path.exists()]
        found.append(_read_journal(self.journal))
        kept: dict[str, _Stored] = {}
        for source in found:
            for key, stored in source.items():
                kept.pop(key, None)  # so that it counts as young as its newest copy
                kept[key] = stored
        return kept

    def _read(self, rows_path: Path, data_path: Path) -> dict[str, "_Stored"]:
        container, schema = self.artefact.container, self.artefact.schema
        try:
            table = rows.read(rows_path, schema)
            read = container.open(data_path) if container and len(table) else None
        except (CorruptFile, FileNotFoundError) as error:
            log(f"not reused: {error}")
            return {}
        columns = [name for name, _ in container.columns] if container else []
        payload = _payload_reader(read, columns)
        found: dict[str, _Stored] = {}
        owners: dict[str, str] = {}
        for row in table.to_pylist():
            item, key, status, error = (row.pop(name) for name in ("item", "key", "status", "error"))
            if status == rows.STATUS_FAILED or owners.setdefault(key, item) != item:
                continue  # items of equal content share a key: the rows of the first are those of all
            found.setdefault(key, _Stored(status, error, [], payload)).rows.append(row)
        return found

    def _intact(self, item: Item, stored: "_Stored") -> bool:
        try:
            for _ in stored.payloads():
                pass
        except CorruptFile as error:
            log(f"made again: {item.id}: {error}")
            self.damaged += 1
            return False
        return True

    def _commit(self, done: dict[str, "_Stored"], kept: dict[str, "_Stored"]) -> None:
        """Write a new generation whole, point the outputs at it, then let go of what it replaces."""
        self.owner.check()
        for unfinished in self.artefact.carry.glob(".g*"):  # of a process that was killed while it wrote
            shutil.rmtree(unfinished)
        generations = self._generations()
        number = int(generations[-1].name[1:]) + 1 if generations else 1
        target = self.artefact.carry / f"g{number:06d}"
        with atomic.folder(target) as building:
            self._write(building, done)
        self.owner.check()
        atomic.link(target / "rows.parquet", self.artefact.rows_path)
        if self.artefact.data_path is not None:
            atomic.link(target / "data", self.artefact.data_path)
        self._keep_unreferenced(done, kept)
        self.journal.discard()
        for old in generations:
            shutil.rmtree(old)
        if self.artefact.before is not None:
            for name in (self.artefact.rows_path.name, _name(self.artefact.data_path)):
                (self.artefact.before / name).unlink(missing_ok=True)

    def _write(self, folder: Path, done: dict[str, "_Stored"]) -> None:
        lines, payloads = [], []
        for item in self.items:
            stored = done[item.key]
            for row in stored.rows:
                own = {"item": item.id, "key": item.key, "status": stored.status, "error": stored.error}
                line = {**row, **own, **item.label(row)}
                lines.append(line)
                payloads.append((line.get(self.artefact.name_column) or item.id, stored, row))
        container = self.artefact.container
        if container is not None:
            places = container.write(folder / "data", ((name, s.payload(row)) for name, s, row in payloads))
            names = [name for name, _ in container.columns]
            for line, place in zip(lines, places, strict=True):
                line.update(zip(names, place, strict=True))
        rows.write(folder / "rows.parquet", rows.table(lines, self.artefact.schema))

    def _keep_unreferenced(self, done: dict[str, "_Stored"], kept: dict[str, "_Stored"]) -> None:
        """Rows that nothing refers to now go to the attic, newest first: a change undone costs nothing."""
        already = {record.key for record in self.attic.read()}
        dropped = [key for key in kept if key not in done]
        if all(key in already for key in dropped):
            return
        beside = Journal(self.artefact.carry / "attic.new")
        beside.discard()
        room = ATTIC_BYTES
        for key in reversed(dropped):
            stored = kept[key]
            try:
                payloads = list(stored.payloads())
            except CorruptFile as error:
                log(f"not kept: {error}")
                continue
            size = sum(len(p) for p in payloads if p is not None) + ROW_BYTES * len(payloads)
            if size <= room:
                room -= size
                beside.append(key, stored.status, stored.error, stored.rows, payloads)
        beside.close()
        if beside.path.exists():
            beside.path.replace(self.attic.path)
        else:
            self.attic.discard()

    def _generations(self) -> list[Path]:
        return sorted(self.artefact.carry.glob("g[0-9]*"))


@dataclass(frozen=True)
class _Stored:
    status: str
    error: str
    rows: list[dict[str, Any]]
    payload: Callable[[dict[str, Any]], bytes | memoryview | None]

    def payloads(self) -> Iterator[bytes | memoryview | None]:
        """The payload of each row. Raises CorruptFile where one is not what its row says."""
        for row in self.rows:
            payload = self.payload(row)
            if payload is not None and digest.of_bytes(payload) != row["digest"]:
                raise CorruptFile("a stored payload does not match its digest")
            yield payload


def _read_journal(journal: Journal) -> dict[str, _Stored]:
    """What a journal holds by key, in the order in which it was put there."""
    return {record.key: _from_journal(journal, record) for record in journal.read()}


def _from_journal(journal: Journal, record: Any) -> _Stored:
    places = {id(row): place for row, place in zip(record.rows, record.places, strict=True)}
    return _Stored(record.status, record.error, record.rows, lambda row: journal.payload(places[id(row)]))


def _payload_reader(read: Callable | None, columns: list[str]) -> Callable[[dict[str, Any]], memoryview | None]:
    def payload(row: dict[str, Any]) -> memoryview | None:
        place = [row[name] for name in columns]
        return None if read is None or place[0] is None or place[0] < 0 else read(*place)

    return payload


def _digested(row: dict[str, Any], payload: Payload | None) -> dict[str, Any]:
    return row if payload is None else {**row, "digest": digest.of_bytes(content(payload))}


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
