import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaiku.errors import CorruptFile
from kaiku.store import rows

SCHEMA = rows.schema(("clip", pa.string()), ("peak", pa.float64()), ("frames", pa.int64()))
FOUND = [
    {"item": "a", "key": "k1", "status": "ok", "error": "", "clip": "päivä", "peak": 0.1, "frames": 1 << 40},
    {"item": "తెలుగు", "key": "k2", "status": "failed", "error": "two\nlines", "clip": None, "peak": None},
]


def write(path, found=FOUND, schema=SCHEMA):
    rows.write(path, rows.table(found, schema))
    return path


def test_rows_come_back_with_a_missing_column_as_null(tmp_path):
    table = rows.read(write(tmp_path / "a.parquet"), SCHEMA)
    assert table.to_pylist() == [FOUND[0], {**FOUND[1], "frames": None}]
    assert table.schema == SCHEMA
    assert SCHEMA.names[:4] == ["item", "key", "status", "error"]


def test_equal_rows_give_equal_bytes_however_they_came(tmp_path):
    once = write(tmp_path / "once.parquet", FOUND * 500).read_bytes()
    assert write(tmp_path / "again.parquet", FOUND * 500).read_bytes() == once
    pieces = pa.concat_tables([rows.table(FOUND * n, SCHEMA) for n in (1, 0, 99, 400)])
    rows.write(tmp_path / "pieces.parquet", pieces)
    rows.write(tmp_path / "reread.parquet", rows.read(tmp_path / "once.parquet", SCHEMA))
    shuffled = [dict(reversed(row.items())) for row in FOUND * 500]
    framed = pa.Table.from_pandas(rows.table(FOUND * 500, SCHEMA).to_pandas(), schema=SCHEMA)
    rows.write(tmp_path / "framed.parquet", framed)
    write(tmp_path / "shuffled.parquet", shuffled)
    for name in ("pieces", "reread", "framed", "shuffled"):
        assert (name, (tmp_path / f"{name}.parquet").read_bytes()) == (name, once)


def test_a_column_of_nulls_keeps_its_type(tmp_path):
    write(tmp_path / "a.parquet", [FOUND[1]])
    write(tmp_path / "b.parquet", [])
    assert rows.read(tmp_path / "a.parquet").schema == rows.read(tmp_path / "b.parquet").schema == SCHEMA


def test_some_columns_alone(tmp_path):
    write(tmp_path / "a.parquet")
    assert rows.read(tmp_path / "a.parquet", columns=["status"]).to_pydict() == {"status": ["ok", "failed"]}


@pytest.mark.parametrize(
    "other",
    [
        rows.schema(("clip", pa.string()), ("peak", pa.float64())),
        rows.schema(("clip", pa.string()), ("peak", pa.float32()), ("frames", pa.int64())),
        rows.schema(("peak", pa.float64()), ("clip", pa.string()), ("frames", pa.int64())),
        rows.schema(("clip", pa.string()), ("peak", pa.float64()), ("frames", pa.int64()), ("more", pa.int64())),
    ],
)
def test_a_table_of_another_schema_is_refused(tmp_path, other):
    path = write(tmp_path / "a.parquet", [], other)
    with pytest.raises(CorruptFile, match=r"a\.parquet: columns .* Expected: columns .* Delete the file"):
        rows.read(path, SCHEMA)


def test_a_changed_byte_is_found_or_changes_nothing(tmp_path):
    """Pages have checksums, the footer has none: the bit that makes two rows none is among those that are tried."""
    path = write(tmp_path / "a.parquet")
    whole, expected, refused = path.read_bytes(), rows.read(path, SCHEMA), 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 2]) + whole[at + 1 :])
        try:
            found = rows.read(path, SCHEMA)
        except CorruptFile:
            refused += 1
        else:
            assert found.equals(expected), at
    assert refused > len(whole) / 2


def test_rows_that_got_lost_are_missed(tmp_path):
    path = write(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(CorruptFile, match=r"a\.parquet: 1 rows\. Expected: 2, as it says itself\. Delete the file"):
        rows.read(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(CorruptFile, match=r"1 rows\. Expected: its number of rows"):
        rows.read(path)


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet")
    whole = path.read_bytes()
    for size in (0, 3, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptFile, match="not a readable table"):
            rows.read(path, SCHEMA)
