import gc
import tempfile
import tracemalloc

import pytest

from kaiku.store.journal import Journal
from kaiku.store.spool import Spool

RECORDS = [
    ("key-1", "ok", "", [{"part": 0, "clip": "päivä\n"}], [b"payload one"]),
    ("key-2", "empty", "", [{"part": -1}], [None]),
    ("key-3", "ok", "", [{"part": 0}, {"part": 1, "peak": 0.1}, {}], [b"a", None, b""]),
    ("key-4", "failed", "why", [{}], [None]),
]


def write(path, records=RECORDS):
    journal = Journal(path)
    for record in records:
        journal.append(*record)
    journal.close()


def read(path):
    journal = Journal(path)
    return [(r.key, r.status, r.error, r.rows, [journal.payload(place) for place in r.places]) for r in journal.read()]


def test_what_was_appended_is_read_back(tmp_path):
    write(tmp_path / "deep" / "journal")
    assert read(tmp_path / "deep" / "journal") == RECORDS


def test_append_tells_where_the_payloads_lie(tmp_path):
    journal = Journal(tmp_path / "journal")
    for key, status, error, rows, payloads in RECORDS:
        record = journal.append(key, status, error, rows, payloads)
        assert [journal.payload(place) for place in record.places] == payloads
    assert list(journal.read()) == list(Journal(tmp_path / "journal").read())


def test_no_journal_holds_no_records(tmp_path):
    assert read(tmp_path / "journal") == []
    Journal(tmp_path / "journal").close()
    Journal(tmp_path / "journal").discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_off_anywhere_yields_the_whole_records_before_and_goes_on(tmp_path):
    ends = [0]
    for count in range(1, len(RECORDS) + 1):
        write(tmp_path / str(count), RECORDS[:count])
        ends.append((tmp_path / str(count)).stat().st_size)
    whole = (tmp_path / str(len(RECORDS))).read_bytes()
    path = tmp_path / "journal"
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        kept = RECORDS[: sum(end <= size for end in ends) - 1]
        assert read(path) == kept
        write(path, RECORDS[2:])
        assert read(path) == kept + RECORDS[2:]


def test_a_changed_byte_ends_the_journal_before_its_record(tmp_path):
    path = tmp_path / "journal"
    write(path, RECORDS[:1])
    first = path.stat().st_size
    path.unlink()
    write(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        found = read(path)
        assert found == RECORDS[: len(found)]
        assert len(found) < len(RECORDS) and (at < first) == (found == [])


def test_records_are_there_for_another_reader_before_the_journal_is_closed(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.append(*RECORDS[0])
    assert read(tmp_path / "journal") == RECORDS[:1]
    journal.append(*RECORDS[1])
    assert read(tmp_path / "journal") == RECORDS[:2]
    journal.discard()
    assert not (tmp_path / "journal").exists()


def test_payloads_in_a_spool_are_held_one_at_a_time(tmp_path):
    spool, size, count = Spool(tmp_path), 1 << 20, 24
    payloads = [spool.add(bytes([number]) * size) for number in range(count)]
    journal = Journal(tmp_path / "journal")
    gc.collect()
    tracemalloc.start()
    record = journal.append("key", "ok", "", [{}] * count, payloads)
    assert sum(1 for _ in Journal(tmp_path / "journal").read()) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * size
    assert [journal.payload(place) for place in record.places] == [bytes([n]) * size for n in range(count)]


def test_slices_of_one_spool_may_be_read_in_any_order(tmp_path):
    spool = Spool(tmp_path)
    first = spool.add(b"one")
    assert first.read() == b"one"
    second = spool.add(b"second")
    assert (second.read(), first.read(), len(first), len(second)) == (b"second", b"one", 3, 6)
    assert list(tmp_path.iterdir()) == [], "a spool has no name that a kill could leave behind"


def test_a_journal_of_another_format_is_not_read(tmp_path):
    path = tmp_path / "journal"
    write(path)
    path.write_bytes(b"\x63" + path.read_bytes()[1:])
    assert read(path) == []


@pytest.mark.parametrize("junk", [b"\0", b"\1\0\0\0" + b"\xff" * 12, b"\1\0\0\0" * 40])
def test_junk_behind_the_records_is_cut_away(tmp_path, junk):
    path = tmp_path / "journal"
    write(path, RECORDS[:2])
    with open(path, "ab") as f:
        f.write(junk)
    write(path, RECORDS[2:])
    assert read(path) == RECORDS


def test_a_temporary_folder_is_enough(tmp_path):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        spool = Spool(folder)
        piece = spool.add(b"x")
    assert piece.read() == b"x"
