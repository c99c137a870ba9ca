"""A stored shard beside the code as it stands: which of its items an edit concerns, and how they come out now."""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kaiku.acceptance import differences
from kaiku.acceptance.differences import Difference
from kaiku.planning.job import Job
from kaiku.settings import Settings
from kaiku.store import code, digest, rows
from kaiku.store.items import Artefact, Compute, Item, Outcome
from kaiku.store.spool import content


@dataclass(frozen=True)
class StoredShard:
    """A shard as it is stored: its program's view of it, and its stored rows by key.

    args: of its program; items, compute: what the program would do, keys as they are under the locked code; named: its
    stored rows by item, for what their columns say beside what was computed.
    """

    program: ModuleType
    settings: Settings
    args: argparse.Namespace
    artefact: Artefact
    items: list[Item]
    compute: Compute
    stored: dict[str, list[dict[str, Any]]]
    named: dict[str, list[dict[str, Any]]]

    @classmethod
    def open(cls, program: ModuleType, settings: Settings, job: Job, scratch: Path) -> "StoredShard":
        """A shard of the workspace in the current folder. scratch: a folder for what computing leaves behind."""
        args = program.parser().parse_args(job.arguments)
        args.carry = scratch / args.carry
        args.carry.mkdir(parents=True, exist_ok=True)
        with code.as_locked():
            artefact, items, compute = program.shard(settings, args)
        stored: dict[str, list[dict[str, Any]]] = defaultdict(list)
        named: dict[str, list[dict[str, Any]]] = defaultdict(list)
        owners: dict[str, str] = {}
        for row in rows.read(artefact.rows_path, artefact.schema).to_pylist():
            named[row["item"]].append(row)
            if row["status"] != rows.STATUS_FAILED and owners.setdefault(row["key"], row["item"]) == row["item"]:
                stored[row["key"]].append(row)
        return cls(program, settings, args, artefact, items, compute, stored, named)

    def affected(self, module: str) -> list[Item]:
        """Items stored under the key of the locked code whose key the edit of a module changes."""
        with code.as_locked(besides=module):
            _, edited, _ = self.program.shard(self.settings, self.args)
        pairs = zip(self.items, edited, strict=True)
        found = {item.key: item for item, other in pairs if item.key != other.key and item.key in self.stored}
        return list(found.values())

    def published(self) -> list[Item]:
        """Items whose stored rows are those of their key."""
        stood = {item: found[0] for item, found in self.named.items() if found[0]["status"] != rows.STATUS_FAILED}
        return [item for item in self.items if item.id in stood and stood[item.id]["key"] == item.key]

    def label_differences(self, item: Item) -> list[Difference]:
        """How the columns that an item's label fills differ from what is stored of it."""
        stored = self.named[item.id]
        made = [{**row, **item.label(row)} for row in stored]
        return differences.of_rows(f"{self.artefact.rows_path}, {item.id}", stored, made)

    def compute_again(self, picked: Mapping[str, Item]) -> Iterator[tuple[Item, Outcome]]:
        """Outcomes of some items with the code as it stands; models are loaded only if there are any."""
        if picked:
            yield from self.compute([item for item in self.items if picked.get(item.key) is item])

    def differences(self, item: Item, made: Outcome) -> list[Difference]:
        """How an outcome differs from what is stored of its item."""
        stored, where = self.stored[item.key], f"{self.artefact.rows_path}, {item.id}"
        if made.status != stored[0]["status"]:
            now = f"{made.status}: {made.error}" if made.error else made.status
            return [Difference(where, f"{now}; stored is {stored[0]['status']}")]
        payloads = [None if p is None else bytes(content(p)) for p in made.payloads or [None] * len(made.rows)]
        lines = [
            row if payload is None else {**row, "digest": digest.of_bytes(payload)}
            for row, payload in zip(made.rows, payloads, strict=True)
        ]
        if len(lines) == len(stored):
            for before, line, payload in zip(stored, lines, payloads):
                if payload is not None and line["digest"] != before["digest"]:
                    return [differences.of_payloads(where, self.artefact.container, self._payload(before), payload)]
        names = {name for row in made.rows for name in item.label(row)}
        kept = [name for name in self.artefact.schema.names if name not in names | self._bookkeeping()]
        now = rows.table(lines, self.artefact.schema).select(kept).to_pylist()
        return differences.of_rows(where, [{name: row[name] for name in kept} for row in stored], now)

    def _bookkeeping(self) -> set[str]:
        """Columns that say whose row it is and where its payload lies."""
        container = self.artefact.container
        places = [name for name, _ in container.columns] if container else []
        return {*places, *(field.name for field in rows.BOOKKEEPING)}

    def _payload(self, row: dict[str, Any]) -> bytes:
        container = self.artefact.container
        read = container.open(self.artefact.data_path)
        return bytes(read(*(row[name] for name, _ in container.columns)))
