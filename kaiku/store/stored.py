"""Finished items wherever they lie: just computed, in a journal, or in a committed table that is read by columns.

A shard has a hundred thousand rows of which a job changes a few, so rows of a table become Python values only where
somebody asks for them, and a new table is put together from columns.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from kaiku.errors import CorruptFile
from kaiku.store import digest, rows
from kaiku.store.containers import Container
from kaiku.store.journal import Journal, Record

Row = Mapping[str, Any]
Label = Callable[[Row], dict[str, Any]]
_BOOKKEEPING = {field.name for field in rows.BOOKKEEPING}


class Source(Protocol):
    """Rows that lie together, by number."""

    def row(self, number: int) -> Row:
        """A row without its bookkeeping."""

    def payload(self, number: int) -> bytes | None:
        """A row's payload, not verified."""

    def digest(self, number: int) -> str:
        """What the digest of a row's payload must be."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One finished item: its rows in a source."""

    status: str
    error: str
    source: Source
    span: range

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts of their own."""
        return [dict(self.source.row(number)) for number in self.span]

    def payloads(self) -> Iterator[bytes | None]:
        """The payload of each row. Raises CorruptFile where one is not what its row says."""
        for number in self.span:
            payload = self.source.payload(number)
            if payload is not None and digest.of_bytes(payload) != self.source.digest(number):
                raise CorruptFile("a stored payload does not match its digest")
            yield payload


class Listed:
    """Rows that were just computed, or that a journal holds."""

    def __init__(self, found: list[dict[str, Any]], payload: Callable[[int], bytes | None] = lambda number: None):
        self.found, self.payload = found, payload

    def row(self, number: int) -> Row:
        """A row without its bookkeeping."""
        return self.found[number]

    def digest(self, number: int) -> str:
        """What the digest of a row's payload must be."""
        return self.found[number]["digest"]


class Tabled:
    """Rows of a committed table, with their payloads."""

    def __init__(self, table: pa.Table, read: Callable | None, locators: list[str]):
        self.table, self.read, self.locators = table, read, locators
        self.names = [name for name in table.column_names if name not in _BOOKKEEPING]
        self._columns: dict[str, list[Any]] = {}

    def column(self, name: str) -> list[Any]:
        """A column's values."""
        if name not in self._columns:
            self._columns[name] = self.table.column(name).to_pylist()
        return self._columns[name]

    def row(self, number: int) -> Row:
        """A row without its bookkeeping."""
        return _TableRow(self, number)

    def payload(self, number: int) -> bytes | None:
        """A row's payload, not verified."""
        if self.read is None:
            return None
        first, size = (self.column(name)[number] for name in self.locators)
        return None if first is None or first < 0 else self.read(first, size)

    def digest(self, number: int) -> str:
        """What the digest of a row's payload must be."""
        return self.column("digest")[number]


class _TableRow(Mapping):
    def __init__(self, source: Tabled, number: int):
        self.source, self.number = source, number

    def __getitem__(self, name: str) -> Any:
        return self.source.column(name)[self.number]

    def __iter__(self) -> Iterator[str]:
        return iter(self.source.names)

    def __len__(self) -> int:
        return len(self.source.names)


def from_journal(journal: Journal, record: Record) -> Stored:
    """A finished item as a journal holds it."""
    source = Listed(record.rows, lambda number: journal.payload(record.places[number]))
    return Stored(record.status, record.error, source, range(len(record.rows)))


def read_journal(journal: Journal) -> dict[str, Stored]:
    """What a journal holds by key, in the order in which it was put there."""
    return {record.key: from_journal(journal, record) for record in journal.read()}


def read_table(rows_path: Path, data_path: Path, schema: pa.Schema, container: Container | None) -> dict[str, Stored]:
    """What a committed artefact holds by key; items that failed are left out. Raises CorruptFile."""
    table = rows.read(rows_path, schema)
    read = container.open(data_path) if container and len(table) else None
    source = Tabled(table, read, [name for name, _ in container.columns] if container else [])
    own, keys, statuses, errors = map(source.column, ("item", "key", "status", "error"))
    found: dict[str, Stored] = {}
    owners: dict[str, str] = {}
    for span in _runs(own, keys):
        item, key, status = own[span.start], keys[span.start], statuses[span.start]
        if status == rows.STATUS_FAILED or owners.setdefault(key, item) != item:
            continue  # items of equal content share a key: the rows of the first are those of all
        if key in found:
            raise CorruptFile(f"{rows_path}: rows of {item} stand apart", expected="an item's rows side by side")
        found[key] = Stored(status, errors[span.start], source, span)
    return found


def _runs(own: list[str], keys: list[str]) -> Iterator[range]:
    """Spans of rows that are one item's."""
    start = 0
    for number in range(1, len(own)):
        if own[number] != own[start] or keys[number] != keys[start]:
            yield range(start, number)
            start = number
    if own:
        yield range(start, len(own))


class Assembly:
    """Rows of many sources in a new order under new names, put together by columns."""

    def __init__(self, schema: pa.Schema, name_column: str):
        self.schema, self.name_column = schema, name_column
        self._firsts: dict[Tabled, int] = {}  # number of a table's first row among those of all tables
        self._tabled = 0
        self._lines: list[dict[str, Any]] = []  # rows that stand in no table
        # Of each row, in the new order: its number among all tables' rows, or -1 - its number in _lines; where it comes
        # from; whose it is; what its label says; and what its payload is called.
        self._order: list[int] = []
        self._sources: list[Source] = []
        self._numbers: list[int] = []
        self._items: list[str] = []
        self._labels: list[dict[str, Any]] = []
        self._names: list[str] = []

    def add(self, item: str, key: str, stored: Stored, label: Label) -> None:
        """An item's rows come next."""
        source = stored.source
        for number in stored.span:
            row = source.row(number)
            named = label(row)
            self._order.append(self._place(source, number, row, key, stored))
            self._sources.append(source)
            self._numbers.append(number)
            self._items.append(item)
            self._labels.append(named)
            name = named[self.name_column] if self.name_column in named else row.get(self.name_column)
            self._names.append(name or item)

    def write(self, rows_path: Path, data_path: Path, container: Container | None) -> None:
        """Write table and payloads; a payload that cannot be read raises CorruptFile."""
        places = container.write(data_path, self._payloads()) if container else []
        locators = [name for name, _ in container.columns] if container else []
        rows.write(rows_path, self._table(locators, places))

    def _payloads(self) -> Iterator[tuple[str, bytes | None]]:
        for name, source, number in zip(self._names, self._sources, self._numbers, strict=True):
            yield name, source.payload(number)

    def _table(self, locators: list[str], places: list[tuple[int, int]]) -> pa.Table:
        everything = pa.concat_tables([*(s.table for s in self._firsts), rows.table(self._lines, self.schema)])
        order = np.array(self._order, np.int64)
        made = everything.take(pa.array(np.where(order < 0, self._tabled - 1 - order, order)))
        made = self._replaced(made, "item", self._items)
        for name in sorted({name for named in self._labels for name in named}):
            made = self._replaced(made, name, [named.get(name, _AS_IT_WAS) for named in self._labels])
        for name, values in zip(locators, zip(*places, strict=True), strict=False):
            made = self._replaced(made, name, list(values))
        return made

    def _place(self, source: Source, number: int, row: Row, key: str, stored: Stored) -> int:
        if not isinstance(source, Tabled):
            self._lines.append({**row, "key": key, "status": stored.status, "error": stored.error})
            return -len(self._lines)
        if source not in self._firsts:
            self._firsts[source] = self._tabled
            self._tabled += len(source.table)
        return self._firsts[source] + number

    def _replaced(self, table: pa.Table, name: str, values: list[Any]) -> pa.Table:
        place, field = self.schema.get_field_index(name), self.schema.field(name)
        if any(value is _AS_IT_WAS for value in values):
            before = table.column(place).to_pylist()
            values = [old if value is _AS_IT_WAS else value for value, old in zip(values, before, strict=True)]
        return table.set_column(place, field, pa.array(values, field.type))


_AS_IT_WAS = object()
