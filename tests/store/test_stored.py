"""Rows of a committed table are read by columns, once, and only those that belong together."""

import pytest
from reversing import Folder

from kaiku.errors import CorruptFile
from kaiku.store import atomic, items, rows, stored
from kaiku.store.containers import Tar

SHARD = {"a": b"abc", "b": b"de|f||gh", "c": b"ijkl"}


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path, before=tmp_path / "before")
    folder.run(SHARD)
    return folder


def read(folder):
    return stored.read_table(folder.rows_path, folder.data_path, folder.artefact.schema, Tar(".bin"))


def test_an_item_is_its_rows_and_payloads(folder):
    found = read(folder)
    keys = {item.id: item.key for item in folder.items(SHARD)}
    assert list(found) == [keys[id] for id in "abc"]
    b = found[keys["b"]]
    assert [(row["clip"], row["part"], row["speaker"]) for row in b.rows()] == [(f"b@{n}", n, "aino") for n in range(4)]
    assert list(b.payloads()) == [b"ed", b"f", None, b"hg"]
    assert b.rows()[0].keys() == set(folder.artefact.schema.names) - {field.name for field in rows.BOOKKEEPING}


def test_columns_that_nobody_asks_for_are_no_python_values(folder):
    source = next(iter(read(folder).values())).source
    assert set(source._columns) == {"item", "key", "status", "error"}


def test_rows_of_an_item_that_stand_apart_are_refused(folder):
    table = rows.read(folder.rows_path)
    rows.write(folder.rows_path, table.take([1, 0, 2, 3, 4, 5]))
    with pytest.raises(CorruptFile, match="rows of b stand apart"):
        read(folder)


def test_what_was_linked_aside_is_read_once_where_it_is_the_generation(folder, monkeypatch):
    """The artefact as it was before the run is most often the generation that its own job committed."""
    for path in (folder.rows_path, folder.data_path):
        atomic.link(path, folder.root / "before" / "out" / path.name)
    seen = []
    monkeypatch.setattr(items, "read_table", lambda *args: seen.append(args[0].name) or stored.read_table(*args))
    folder.run(SHARD)
    assert seen == ["rows.parquet"] and folder.computed == []


def test_a_label_names_columns_of_the_table_only(folder):
    assembly = stored.Assembly(folder.artefact.schema, "clip")
    assembly.add("a", "k", next(iter(read(folder).values())), lambda row: {"speeker": "otso"})
    with pytest.raises(KeyError, match="speeker"):
        assembly.write(folder.root / "rows", folder.root / "data", Tar(".bin"))
