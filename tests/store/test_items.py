"""Item stages: whatever came before, an artefact has the bytes of a clean build, and nothing is computed twice."""

import tarfile

import numpy as np
import pytest
from reversing import KINDS, SHARD, Folder, reverse

from kaiku.errors import KaikuError
from kaiku.store import digest, items, rows
from kaiku.store.items import Counts, Item, Outcome
from kaiku.store.journal import Journal


def table(folder):
    return rows.read(folder.rows_path, folder.artefact.schema).to_pylist()


# --- what one edit costs


@pytest.mark.parametrize("kind", KINDS)
def test_each_edit_computes_what_it_touches_and_gives_the_bytes_of_a_clean_build(tmp_path, clean, kind):
    folder = Folder(tmp_path, kind)
    added = {**SHARD, "bb": b"new|one"}
    edited = {**added, "c": b"other"}
    renamed = {**{id: content for id, content in edited.items() if id != "a"}, "z": SHARD["a"]}
    removed = {id: content for id, content in renamed.items() if id != "e"}
    steps = [
        ("first build", SHARD, {}, ["a", "b", "c", "d", "e"]),
        ("nothing", SHARD, {}, []),
        ("added", added, {}, ["bb"]),
        ("edited", edited, {}, ["c"]),
        ("renamed", renamed, {}, []),
        ("removed", removed, {}, []),
        ("label changed", removed, {"speaker": "otso"}, []),
        ("parameter changed", removed, {"times": 2}, ["b", "bb", "c", "d", "z"]),
        ("and changed back", removed, {}, []),
        ("and once more", removed, {"times": 2}, []),
        ("code version changed", removed, {"version": "v2"}, ["b", "bb", "c", "d", "z"]),
        ("everything undone", SHARD, {}, []),
    ]
    for name, shard, how, computed in steps:
        folder.forget_outputs()
        counts = folder.run(shard, **how)
        assert (name, sorted(folder.computed)) == (name, computed)
        assert counts == Counts(computed=len(computed), reused=len(shard) - len(computed))
        assert (name, folder.bytes()) == (name, clean(shard, kind, **how))


def test_an_artefact_is_what_its_reader_expects(folder):
    folder.run(SHARD)
    found = table(folder)
    assert [(row["item"], row["part"], row["status"]) for row in found] == [
        *[("a", 0, "ok"), ("b", 0, "ok"), ("b", 1, "ok"), ("b", 2, "ok"), ("b", 3, "ok")],
        *[("c", 0, "ok"), ("d", -1, "empty"), ("e", 0, "ok"), ("e", 1, "ok")],
    ]
    with tarfile.open(folder.data_path) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}
    payloads = reverse(SHARD["b"], 1).payloads
    assert [members.get(f"b@{part}.bin") for part in range(4)] == payloads
    assert len(members) == 7
    assert [row["digest"] for row in found[1:5]] == [p and digest.of_bytes(p) for p in payloads]


def test_outputs_are_links_to_the_one_generation_that_is_kept(folder):
    folder.run(SHARD)
    folder.run({**SHARD, "a": b"edited"})
    generations = [path.name for path in folder.carry.glob("*g0*")]
    assert generations == ["g000002"]
    assert folder.rows_path.samefile(folder.carry / "g000002" / "rows.parquet")
    assert folder.data_path.samefile(folder.carry / "g000002" / "data")
    assert not (folder.carry / "journal").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_shard_is_an_artefact_too(tmp_path, clean, kind):
    folder = Folder(tmp_path, kind)
    assert folder.run({}) == Counts()
    assert table(folder) == []
    assert folder.run(SHARD) == Counts(computed=5)
    assert folder.run({}) == Counts()
    assert folder.bytes() == clean({}, kind)
    assert folder.run(SHARD) == Counts(reused=5)
    assert folder.bytes() == clean(SHARD, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_items_without_any_payload(tmp_path, clean, kind):
    folder, shard = Folder(tmp_path, kind), {"a": b"", "b": b"|"}
    assert folder.run(shard) == Counts(computed=2)
    assert folder.run(shard) == Counts(reused=2)
    assert folder.bytes() == clean(shard, kind)
    assert [row["part"] for row in table(folder)] == [-1, 0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_items_of_equal_content_are_computed_once_and_stay_two(tmp_path, clean, kind):
    folder, twins = Folder(tmp_path, kind), {"a": b"x|y", "b": b"x|y", "c": b"z"}
    assert folder.run(twins) == Counts(computed=2, reused=1)
    assert folder.run(twins) == Counts(reused=3)
    assert folder.bytes() == clean(twins, kind)
    assert [row["clip"] for row in table(folder)] == ["a@0", "a@1", "b@0", "b@1", "c@0"]
    assert folder.run({"b": b"x|y"}) == Counts(reused=1)
    assert folder.bytes() == clean({"b": b"x|y"}, kind)


def test_the_stage_is_called_only_if_something_is_missing(folder):
    folder.run(SHARD)

    def must_not_run(missing):
        raise AssertionError(missing)

    counts = items.run(folder.artefact, folder.items(SHARD), must_not_run, label="reverse", max_failed=0)
    assert counts == Counts(reused=5)


# --- failures


def test_a_failed_item_is_a_row_with_its_error_and_is_tried_again(folder, clean):
    shard = {**SHARD, "c": b"!broken"}
    assert folder.run(shard) == Counts(computed=4, failed=1)
    (row,) = [row for row in table(folder) if row["status"] == "failed"]
    assert (row["item"], row["error"]) == ("c", "ValueError: cannot read !broken")
    assert (row["offset"], row["size"], row["digest"]) == (-1, 0, None)
    assert folder.run(shard) == Counts(reused=4, failed=1)
    assert folder.computed == ["c"]
    assert folder.bytes() == clean(shard)
    assert folder.run(SHARD) == Counts(computed=1, reused=4)
    assert folder.bytes() == clean(SHARD)


def test_every_item_that_shares_a_broken_content_counts_as_failed(folder):
    shard = {"a": b"!x", "b": b"!x", "c": b"fine"}
    assert folder.run(shard) == Counts(computed=1, failed=2)
    assert [(row["item"], row["status"]) for row in table(folder)] == [("a", "failed"), ("b", "failed"), ("c", "ok")]
    with pytest.raises(KaikuError, match=r"2 of 3 items failed \(a: ValueError: cannot read !x; b: "):
        folder.run(shard, max_failed=0.5)


def test_too_many_failures_fail_the_job_once_the_finished_items_are_safe(folder, clean):
    shard = {**SHARD, "a": b"!one", "c": b"!two"}
    with pytest.raises(KaikuError, match=r"reverse: 2 of 5 items failed .*at most 30%") as told:
        folder.run(shard, max_failed=0.3)
    assert "Finished items are kept" in str(told.value)
    assert not folder.rows_path.exists() and not list(folder.carry.glob("g*"))
    assert folder.run({**shard, "c": b"mended"}, max_failed=0.3) == Counts(computed=1, reused=3, failed=1)
    assert sorted(folder.computed) == ["a", "c"]
    assert folder.bytes() == clean({**shard, "c": b"mended"})


def test_the_share_of_failures_is_exact(folder):
    shard = {"a": b"!x", "b": b"y", "c": b"z", "d": b"w"}
    assert folder.run(shard, max_failed=0.25).failed == 1
    with pytest.raises(KaikuError):
        folder.run(shard, max_failed=0.24)


def test_an_outcome_has_rows():
    assert items.attempt(lambda _: Outcome([]), None).error.startswith("an item came to no rows")


def test_running_out_of_memory_is_not_an_item_that_failed():
    def greedy(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(items.each(greedy)([Item("a", "k", None)]))


def test_a_stage_that_dies_between_items_keeps_those_it_finished(folder, clean):
    def dies(missing):
        for number, found in enumerate(folder.compute(missing)):
            if number == 3:
                raise RuntimeError("the model is gone")
            yield found

    with pytest.raises(RuntimeError):
        items.run(folder.artefact, folder.items(SHARD), dies, label="reverse", max_failed=0)
    assert folder.run(SHARD) == Counts(computed=2, reused=3)
    assert folder.bytes() == clean(SHARD)


# --- the attic


def test_the_attic_keeps_the_newest_under_its_cap(folder, monkeypatch):
    monkeypatch.setattr(items, "ATTIC_BYTES", 3 * (1000 + items.ROW_BYTES))
    contents = [bytes([65 + number]) * 1000 for number in range(6)]
    for content in contents:
        assert folder.run({"a": content}) == Counts(computed=1)
    attic = folder.carry / "attic"
    assert [record.key for record in Journal(attic).read()] == [
        folder.items({"a": content})[0].key for content in (contents[4], contents[3], contents[2])
    ]
    assert folder.run({"a": contents[3]}) == Counts(reused=1)
    assert folder.run({"a": contents[5]}) == Counts(reused=1)
    assert folder.run({"a": contents[0]}) == Counts(computed=1)


def test_an_item_larger_than_the_attic_is_let_go_and_takes_no_other_with_it(folder, clean, monkeypatch):
    monkeypatch.setattr(items, "ATTIC_BYTES", 2000)
    folder.run({"a": b"small", "b": b"large" * 1000})
    assert folder.run({"c": b"new"}) == Counts(computed=1)
    assert folder.run({"a": b"small", "c": b"new"}) == Counts(reused=2)
    assert folder.run({"b": b"large" * 1000}) == Counts(computed=1)
    assert folder.run({"c": b"new"}) == Counts(reused=1)
    assert folder.bytes() == clean({"c": b"new"})


def test_the_first_item_to_leave_may_be_larger_than_the_attic(folder, clean, monkeypatch):
    monkeypatch.setattr(items, "ATTIC_BYTES", 100)
    folder.run({"a": b"large" * 100})
    assert folder.run({"b": b"new"}) == Counts(computed=1)
    assert folder.bytes() == clean({"b": b"new"})


# --- an artefact that was pulled


@pytest.mark.parametrize("kind", KINDS)
def test_a_pulled_artefact_carries_over_without_any_carry_folder(tmp_path, clean, kind):
    pulled = Folder(tmp_path / "work" / "before", kind)
    pulled.run({**SHARD, "f": b"!broken"})
    here = Folder(tmp_path, kind, before=tmp_path / "work" / "before")
    shard = {**SHARD, "c": b"edited here", "f": b"!broken"}
    assert here.run(shard) == Counts(computed=1, reused=4, failed=1)
    assert sorted(here.computed) == ["c", "f"]
    assert here.bytes() == clean(shard, kind)
    assert not pulled.rows_path.exists() and not (pulled.data_path and pulled.data_path.exists())
    assert here.run(SHARD) == Counts(reused=5)


def test_what_was_pulled_stays_until_a_job_has_taken_it_over(tmp_path, clean):
    pulled = Folder(tmp_path / "before")
    pulled.run(SHARD)
    here = Folder(tmp_path, before=tmp_path / "before")
    with pytest.raises(KaikuError):
        here.run({**SHARD, "a": b"!x"}, max_failed=0)
    assert pulled.rows_path.exists()
    assert here.run(SHARD) == Counts(reused=5)
    assert here.bytes() == clean(SHARD)


def test_a_pulled_artefact_that_is_half_there_is_no_help_and_no_harm(tmp_path, clean):
    pulled = Folder(tmp_path / "before")
    pulled.run(SHARD)
    pulled.data_path.unlink()
    here = Folder(tmp_path, before=tmp_path / "before")
    assert here.run(SHARD) == Counts(computed=5)
    assert here.bytes() == clean(SHARD)


def test_codes_come_out_as_numpy_reads_them(tmp_path):
    folder = Folder(tmp_path, "npy")
    folder.run(SHARD)
    codes = np.load(folder.data_path, mmap_mode="r")
    assert codes.dtype == np.uint16 and codes.shape == (15, 2)
    for row in table(folder):
        if row["first"] >= 0:
            part = SHARD[row["item"]].split(b"|")[row["part"]]
            assert codes[row["first"] : row["first"] + row["frames"], 0].tolist() == list(part[::-1])
