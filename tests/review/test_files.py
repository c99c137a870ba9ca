import multiprocessing
import os
from dataclasses import replace

import pytest

from kaiku.errors import CorruptFile, KaikuError
from kaiku.review import files
from kaiku.review.decisions import Decision, latest
from kaiku.store import atomic, manifests
from kaiku.store.manifests import AudioRow
from kaiku.store.shards import shard_of
from kaiku.workspace import merging

HEAD = "\t".join(files.COLUMNS)


def decision(recording="a", digest="d1", verdict="keep", **fields):
    return Decision(digest, recording, 0, 1000, verdict, **{"time": files.now(), **fields})


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic.write_json(files.MANIFESTS / "voice/corpus.json", {"format": 1, "shards": 4})
    return tmp_path


def scanned(**recordings):
    """Manifests of recordings, each with its digest, in four shards."""
    for shard in ("000", "001", "002", "003"):
        mine = [name for name in sorted(recordings) if shard_of(name, 4) == shard]
        rows = [AudioRow(name, f"{name}.wav", recordings[name], 1, "s", "fi", {}) for name in mine]
        manifests.write_audio(manifests.audio_path(files.MANIFESTS / "voice", shard), rows)


def name_in(shard, *others):
    return next(n for n in (f"r{i}" for i in range(1000)) if shard_of(n, 4) == shard and n not in others)


def test_any_text_comes_back_sorted_and_once(workspace):
    awkward = decision(text="tab\there \\t \\", note="two\nlines", reviewer="ఆర్య", verdict="text")
    files.add("voice", "001", [decision("b", "d2"), awkward])
    files.add("voice", "001", [awkward])
    path = files.path_of("voice", "001")
    assert files.read(path) == sorted([awkward, files.read(path)[1]])
    assert path.read_text().count("\n") == 3


def test_a_file_that_was_not_touched_keeps_its_time(workspace):
    mine = decision()
    files.add("voice", "001", [mine])
    os.utime(files.path_of("voice", "001"), ns=(1, 1))
    files.add("voice", "001", [mine])
    assert files.path_of("voice", "001").stat().st_mtime_ns == 1


@pytest.mark.parametrize(
    "line, told",
    [
        ("d\ta\t0\t1000\tperhaps\t\t\t\t", "line 2"),
        ("d\ta\tsoon\t1000\tkeep\t\t\t\t", "line 2"),
        ("d\ta\t0\t1000\tkeep\t\t\t\t21.11.2026", "line 2.*21.11.2026"),
        ("d\ta\t0\t1000\tkeep\t\t\t\tyesterday", "line 2.*yesterday"),
        ("d\ta\t0\t1000\ttext\t \t\t\t", "line 2.*correction without a text"),
        ("<<<<<<< HEAD", "1 fields"),
    ],
)
def test_a_line_that_is_none_is_an_error_that_says_what_to_do(workspace, line, told):
    path = files.path_of("voice", "000")
    atomic.write_text(path, f"{HEAD}\n{line}\n")
    with pytest.raises(CorruptFile, match=told) as error:
        files.read(path)
    assert "Mend the line" in str(error.value) and "delete" not in str(error.value).lower()


@pytest.mark.parametrize("time", ["2027-01-01T01:00+02:00", "2026-12-31 23:00", "20261231T230000Z"])
def test_times_in_any_form_are_told_and_ordered_as_all_others(workspace, time):
    path = files.path_of("voice", "000")
    atomic.write_text(path, f"{HEAD}\nd1\ta\t0\t1000\treject\t\t\t\t{time}\n")
    assert [d.time for d in files.read(path)] == ["2026-12-31T23:00:00.000Z"]
    made = files.decide("voice", "000", decision(time="2026-12-01T00:00:00.000Z"))
    assert latest(files.read(path)) == [made]


def test_what_means_nothing_is_refused_and_spaces_are_tidied():
    with pytest.raises(KaikuError, match="perhaps"):
        files.checked(decision(verdict="perhaps"))
    with pytest.raises(KaikuError, match="without a text"):
        files.checked(decision(verdict="text", text=" \n"))
    assert files.checked(decision(verdict="text", text=" a \n b ")).text == "a b"


def test_a_renamed_recording_takes_its_decisions_to_another_shard(workspace):
    old, new = name_in("001"), name_in("002")
    scanned(**{old: "d1", "other": "d2"})
    files.add("voice", "001", [decision(old), decision(old, verdict="reject")])
    before = files.path_of("voice", "001").read_bytes()
    assert files.settle("voice") == files.Settled(0, 0)
    assert files.path_of("voice", "001").read_bytes() == before
    scanned(**{new: "d1", "other": "d2"})
    assert files.settle("voice") == files.Settled(2, 0)
    assert [d.recording for d in files.read(files.path_of("voice", "002"))] == [new, new]
    assert files.read(files.path_of("voice", "001")) == []
    assert files.settle("voice") == files.Settled(0, 0)
    scanned(**{old: "d1", "other": "d2"})
    files.settle("voice")
    assert files.path_of("voice", "001").read_bytes() == before


@pytest.mark.parametrize("writes", range(4))
def test_recordings_that_swapped_shards_lose_nothing_to_a_kill(workspace, monkeypatch, writes):
    one, two = name_in("001"), name_in("002")
    scanned(**{one: "d1", two: "d2"})
    files.add("voice", "001", [decision(one)])
    files.add("voice", "002", [decision(two, "d2", "reject")])
    scanned(**{one: "d2", two: "d1"})
    write, done = files.write, []

    def write_until_killed(path, decisions):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(path)
        return write(path, decisions)

    monkeypatch.setattr(files, "write", write_until_killed)
    with pytest.raises(KeyboardInterrupt):
        files.settle("voice")
    monkeypatch.setattr(files, "write", write)
    files.settle("voice")
    found = {s: [(d.digest, d.recording) for d in files.read(files.path_of("voice", s))] for s in ("001", "002")}
    assert found == {"001": [("d2", one)], "002": [("d1", two)]} and files.settle("voice") == files.Settled(0, 0)


def test_a_rename_within_a_shard_and_another_number_of_shards(workspace):
    old = name_in("001")
    new = name_in("001", old)
    scanned(**{new: "d1"})
    files.add("voice", "001", [decision(old)])
    files.add("voice", "007", [decision(new, text="x")])
    assert files.settle("voice").moved == 2
    found = files.read(files.path_of("voice", "001"))
    assert [d.recording for d in found] == [new, new] and files.read(files.path_of("voice", "007")) == []


def test_a_copy_keeps_its_own_decision_and_what_is_gone_stays_where_it_is(workspace):
    old, copy, new = name_in("001"), name_in("002"), name_in("003")
    scanned(**{old: "d1", copy: "d1"})
    own, others = decision(copy, verdict="reject"), decision(old)
    files.add("voice", "002", [own])
    files.add("voice", "001", [others])
    assert files.settle("voice") == files.Settled(0, 0), "each has its own"
    scanned(**{copy: "d1", new: "d1"})
    files.settle("voice")
    assert files.read(files.path_of("voice", "002")) == [own]
    assert files.read(files.path_of("voice", "003")) == [replace(others, recording=new)]
    scanned(**{copy: "d1"})
    assert files.settle("voice") == files.Settled(0, 1)
    assert files.read(files.path_of("voice", "003")) == [replace(others, recording=new)]


def test_an_edited_recording_leaves_its_decisions_to_lapse(workspace):
    old = name_in("001")
    scanned(**{old: "edited"})
    files.add("voice", "001", [decision(old), decision(old, digest="d0", verdict="none")])
    assert files.settle("voice") == files.Settled(0, 1)
    assert len(files.read(files.path_of("voice", "001"))) == 2


def add_many(number):
    for i in range(20):
        files.add("voice", "000", [decision(f"{number}-{i}")])


def test_nobody_loses_a_decision_to_somebody_else(workspace):
    together = multiprocessing.get_context("fork")
    workers = [together.Process(target=add_many, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(files.read(files.path_of("voice", "000"))) == 60


def test_work_is_done_again_as_long_as_somebody_decides_meanwhile(workspace):
    files.add("voice", "000", [decision()])
    path, seen = files.path_of("voice", "000"), []
    for _ in files.until_steady([path]):
        seen.append(len(files.read(path)))
        if len(seen) < 3:
            files.add("voice", "000", [decision(f"more-{len(seen)}")])
    assert seen == [1, 2, 3]
    assert list(files.until_steady([])) == [None]


def test_two_peoples_decisions_merge_to_all_of_them(workspace):
    shared, mine, yours = decision("a"), decision("b", verdict="reject"), decision("a", verdict="reject")
    texts = {}
    for side, own in {"base": [shared], "ours": [shared, mine], "theirs": [yours], "both": [mine, yours]}.items():
        files.write(workspace / side, own)
        texts[side] = (workspace / side).read_text()
    name = "data/review/voice/000.tsv"
    assert merging.merge(name, texts["base"], texts["ours"], texts["theirs"]).text == texts["both"]
    assert merging.merge(name, "", texts["ours"], texts["theirs"]).text.count("\n") == 4
    assert merging.merge(name, "", texts["ours"], texts["ours"]) == merging.Merged(texts["ours"], [])
