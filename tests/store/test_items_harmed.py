"""Item stages after damage, a full disk and deaths: nothing that was finished is lost, nothing wrong is reused."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from disk import Disk, Killed
from reversing import SHARD, Folder

from kaiku.errors import KaikuError
from kaiku.store import items, owner, rows
from kaiku.store.items import Counts
from kaiku.store.owner import Superseded

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
from reversing import KINDS, SHARD, Folder
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
