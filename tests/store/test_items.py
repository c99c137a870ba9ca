"""Item stages: whatever came before, an artefact has the bytes of a clean build, and nothing is computed twice."""

import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from disk import Disk, Killed
from reversing import Folder, reverse

from kaiku.errors import KaikuError
from kaiku.store import digest, items, owner, rows
from kaiku.store.items import Counts, Item, Outcome
from kaiku.store.journal import Journal
from kaiku.store.owner import Superseded

SHARD = {"a": b"abc", "b": b"de|f||gh", "c": b"ijkl", "d": b"", "e": b"m|no"}
KINDS = ("tar", "npy", "none")


@pytest.fixture
def clean(tmp_path_factory):
    """clean(shard, kind, **how): the bytes of an artefact that was built from nothing."""

    def build(shard, kind="tar", **how):
        folder = Folder(tmp_path_factory.mktemp("clean"), kind)
        folder.run(shard, **how)
        return folder.bytes()

    return build


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


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


# --- damage


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("kind", ["tar", "npy"])
def test_a_damaged_payload_is_found_and_made_again(tmp_path, clean, kind):
    folder = Folder(tmp_path, kind)
    folder.run(SHARD)
    data = folder.data_path.read_bytes()
    flip(folder.data_path, data.index(b"lkji" if kind == "tar" else b"l\0l\0k\0"))
    folder.forget_outputs()
    assert folder.run(SHARD) == Counts(computed=1, reused=4, damaged=1)
    assert folder.computed == ["c"]
    assert folder.bytes() == clean(SHARD, kind)


def test_what_was_made_again_for_damage_is_not_lost_by_a_kill(folder, clean):
    folder.run(SHARD)
    flip(folder.data_path, folder.data_path.read_bytes().index(b"lkji"))
    with pytest.raises(KaikuError):
        folder.run({**SHARD, "a": b"!broken"}, max_failed=0)
    assert folder.computed == ["a", "c"]
    assert folder.run(SHARD) == Counts(reused=5)
    assert folder.bytes() == clean(SHARD)


@pytest.mark.parametrize("kind", ["tar", "npy"])
def test_a_data_file_that_was_cut_off_costs_its_lost_items_alone(tmp_path, clean, kind):
    folder = Folder(tmp_path, kind)
    folder.run(SHARD)
    os.truncate(folder.data_path, folder.data_path.stat().st_size * 2 // 3)
    without_last = {id: content for id, content in SHARD.items() if id != "e"}
    counts = folder.run(without_last)
    assert counts.computed + counts.reused == 4
    assert counts.damaged <= 1 and (kind == "npy" or counts.computed == counts.damaged)
    assert folder.bytes() == clean(without_last, kind)
    assert folder.run(SHARD).computed == 1
    assert folder.bytes() == clean(SHARD, kind)


@pytest.mark.parametrize("victim", ["rows.parquet", "data"])
def test_a_generation_without_one_of_its_files_is_made_again(folder, clean, victim):
    folder.run(SHARD)
    next(folder.carry.glob("g*")).joinpath(victim).unlink()
    assert folder.run(SHARD) == Counts(computed=5)
    assert folder.bytes() == clean(SHARD)


def test_rows_of_another_schema_are_not_reused(folder, clean):
    folder.run(SHARD)
    path = next(folder.carry.glob("g*")) / "rows.parquet"
    rows.write(path, rows.read(path).drop_columns(["length"]))
    assert folder.run(SHARD) == Counts(computed=5)
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


# --- deaths


def changes_of(folder, shard):
    disk = Disk()
    with disk.mounted():
        folder.run(shard)
    return disk.changes


@pytest.mark.parametrize("kind", ["tar", "none"])
def test_a_kill_at_any_change_of_the_disk_loses_nothing_that_was_finished(tmp_path, clean, kind):
    second = {"a": b"edited", "b": SHARD["b"], "e": b"renamed|too", "f": SHARD["c"]}

    def fresh(name):
        folder = Folder(tmp_path / name, kind)
        folder.run(SHARD)
        folder.forget_outputs()
        return folder

    expected, changes = clean(second, kind), changes_of(fresh("counted"), second)
    assert changes > 40
    for die_at in range(1, changes + 1):
        folder = fresh(str(die_at))
        disk = Disk(die_at=die_at)
        with disk.mounted(), pytest.raises(Killed):
            folder.run(second)
        assert disk.changes == die_at
        begun, finished = set(folder.computed), set(folder.finished)
        folder.forget_outputs()
        counts = folder.run(second)
        unfinished = {item.id for item in folder.items(second) if item.key not in finished}
        assert set(folder.computed) <= unfinished & {"a", "e"}
        assert counts.computed >= len({"a", "e"} - begun)
        assert folder.bytes() == expected
        assert sorted(p.name for p in folder.carry.iterdir() if p.name[0] in "gj" or p.is_dir()) in (
            ["g000002"],
            ["g000003"],
        )
        assert folder.run(SHARD) == Counts(reused=5), "the attic lost what the first run made"


def test_a_disk_that_fills_up_at_any_change_loses_nothing_that_was_finished(tmp_path, clean):
    expected, changes = clean(SHARD), changes_of(Folder(tmp_path / "counted"), SHARD)
    for full_at in range(1, changes, 3):
        folder = Folder(tmp_path / str(full_at))
        with Disk(full_at=full_at).mounted(), pytest.raises(OSError, match="No space left"):
            folder.run(SHARD)
        finished = set(folder.finished)
        assert folder.run(SHARD).computed <= 5 - len(finished)
        assert folder.bytes() == expected
        assert not list(tmp_path.rglob(f"{full_at}/**/*.part"))


DYING = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from reversing import Folder
from kaiku.store import atomic

folder, shard = Folder(Path({root!r})), {shard!r}
if {at!r} == "item":
    whole = folder._outcome
    folder._outcome = lambda content, times: (
        os.kill(os.getpid(), signal.SIGKILL) if content == b"ijkl" else whole(content, times)
    )
else:
    atomic.link = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
folder.run(shard)
"""


@pytest.mark.parametrize(("at", "left"), [("item", 3), ("commit", 0)])
def test_kill_9_in_a_process_of_its_own(tmp_path, clean, at, left):
    code = DYING.format(here=str(Path(__file__).parent), root=str(tmp_path), shard=SHARD, at=at)
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path(__file__).parents[2])
    assert died.returncode == -signal.SIGKILL, died.stderr
    folder = Folder(tmp_path)
    assert folder.run(SHARD) == Counts(computed=left, reused=5 - left)
    assert folder.bytes() == clean(SHARD)


def test_an_orphan_publishes_nothing_and_its_successor_takes_over_what_it_finished(tmp_path, clean, monkeypatch):
    orphan, successor = Folder(tmp_path), Folder(tmp_path)
    half_way, waiting, go_on, said, counts = threading.Event(), threading.Event(), threading.Event(), [], []
    monkeypatch.setattr(owner, "log", lambda message: waiting.set())

    def slow(missing):
        for number, found in enumerate(orphan.compute(missing)):
            if number == 2:
                half_way.set()
                assert go_on.wait(30)
            yield found

    def orphaned():
        try:
            items.run(orphan.artefact, orphan.items(SHARD), slow, label="orphan", max_failed=0)
        except Superseded as error:
            said.append(str(error))

    threads = [threading.Thread(target=orphaned)]
    threads[0].start()
    assert half_way.wait(30)
    threads.append(threading.Thread(target=lambda: counts.append(successor.run(SHARD))))
    threads[1].start()
    assert waiting.wait(30)
    assert counts == [] and successor.computed == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert len(said) == 1 and "a newer process took over" in said[0]
    assert counts == [Counts(reused=5)] and successor.computed == []
    assert successor.bytes() == clean(SHARD)


def test_codes_come_out_as_numpy_reads_them(tmp_path):
    folder = Folder(tmp_path, "npy")
    folder.run(SHARD)
    codes = np.load(folder.data_path, mmap_mode="r")
    assert codes.dtype == np.uint16 and codes.shape == (15, 2)
    for row in table(folder):
        if row["first"] >= 0:
            part = SHARD[row["item"]].split(b"|")[row["part"]]
            assert codes[row["first"] : row["first"] + row["frames"], 0].tolist() == list(part[::-1])
