"""A corpus spread over another number of shards: nothing is computed again, and all is as from a clean build."""

import contextlib
import os
import shutil
from functools import cache, partial
from pathlib import Path

import pytest

from kaiku.errors import KaikuError
from kaiku.housekeeping import resharding
from kaiku.layouts import wav_lab
from kaiku.store import artefacts, digest, items, manifests, scan
from kaiku.store.items import Counts, Item, Outcome
from kaiku.store.journal import Journal
from kaiku.store.shards import shard_name
from kaiku.store.stored import Assembly
from kaiku.workspace import lock
from kaiku.workspace.start import start

CODEBOOKS = 2
RECORDINGS = [f"talk-{n}" for n in range(40)]
TWINS = ("talk-3", "talk-17", "talk-21", "talk-30")
"""Recordings of equal content, which share their keys."""


class World:
    """A workspace with two stages: clips in a tar, two a recording, and tokens of each clip."""

    def __init__(self, root):
        self.root = root
        raw = root / "data/raw/voices"
        raw.mkdir(parents=True)
        for name in RECORDINGS:
            content = b"twin" if name in TWINS else name.encode()
            (raw / f"{name}.wav").write_bytes(content)
            (raw / f"{name}.lab").write_text(f"text of {name}")

    def run(self, shards=None):
        """Scan, then both stages of every shard; items by stage that were computed and reused."""
        raw, cache = self.root / "data/raw/voices", self.root / "stat.pickle"
        scanned = scan.scan(raw, self.manifests, cache, _discover, shards=shards)
        segmented, encoded = Counts(), Counts()
        for shard in scanned.shards:
            segmented = _sum(segmented, self.segment(shard))
            encoded = _sum(encoded, self.encode(shard))
        return (segmented.computed, segmented.reused), (encoded.computed, encoded.reused)

    @property
    def manifests(self):
        return self.root / "data/manifests/voices"

    def artefact(self, kind, shard):
        path, before = self.root / f"data/{kind}/voices/{shard}.parquet", self.root / "no-such-folder"
        if kind == "segments":
            return artefacts.segments(path, path.with_suffix(".tar"), self.carry("segment", shard), before)
        carry = self.carry("encode/env", shard)
        return artefacts.tokens(path, path.with_suffix(".npy"), CODEBOOKS, carry, before)

    def carry(self, stage, shard=""):
        return self.root / "work/carry" / stage / "voices" / shard

    def segment(self, shard):
        rows = manifests.read_audio(manifests.audio_path(self.manifests, shard))
        shard_items = [Item(r.recording, digest.of_value(["segment", r.digest]), r, partial(_clip_of, r)) for r in rows]
        return self.stage("segments", shard, shard_items, _cut)

    def encode(self, shard):
        table = artefacts.rows.read(self.artefact("segments", shard).rows_path).to_pylist()
        shard_items = [
            Item(r["clip"], digest.of_value(["encode", r["digest"]]), r, lambda _, r=r: {"clip": r["clip"]})
            for r in table
            if r["status"] == "ok"
        ]
        return self.stage("tokens/env", shard, shard_items, _codes)

    def stage(self, kind, shard, shard_items, work):
        return items.run(self.artefact(kind, shard), shard_items, items.each(work), label=kind, max_failed=1.0)

    def bytes(self):
        """Every output and manifest."""
        paths = [p for kind in ("segments", "tokens", "manifests") for p in (self.root / "data" / kind).rglob("*")]
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in paths if p.is_file()}


def _discover(files, read):
    return wav_lab.discover(files, read, wav_lab.Settings(speaker="aino"))


def _sum(a, b):
    return Counts(a.computed + b.computed, a.reused + b.reused, a.failed + b.failed)


def _clip_of(recording, row):
    named = {"recording": recording.recording}
    if row.get("start_s") is not None:
        named["clip"] = f"{recording.recording}@0000000{row['start_s']:.0f}-00000009"
    return named


def _cut(recording):
    if recording.recording == "talk-9":
        return Outcome([{"peak": 0.0}], status="empty")
    payloads = [digest.of_bytes(recording.digest.encode(), bytes([n])).encode() * (n + 1) for n in range(2)]
    return Outcome([{"start_s": float(n)} for n in range(2)], payloads)


def _codes(row):
    return Outcome([{}], [row["digest"].encode()[: 4 * CODEBOOKS]])


@pytest.fixture(autouse=True, scope="module")
def no_power_cuts():
    """Nothing here is about durability, and a disk takes its time for each fsync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path / "workspace")
    monkeypatch.chdir(world.root)
    assert world.run(shards=4) == ((39, 1), (76, 2))  # twins are computed once where they meet in a shard
    return world


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Bytes of a workspace that had this number of shards from the beginning."""

    @cache
    def build(shards):
        other = World(tmp_path_factory.mktemp("clean"))
        other.run(shards=shards)
        return other.bytes()

    return build


@pytest.mark.parametrize("shards", [1, 2, 3, 6, 8, 40])
def test_nothing_is_computed_again_and_all_is_as_from_a_clean_build(world, clean, shards):
    done = resharding.reshard("voices", shards)
    assert (done.before, done.after) == (4, shards)
    assert list(Path("data").rglob("*.tar")) == [] and not Path("work/reshard/voices").exists()
    assert scan.pinned_shards(world.manifests) == shards
    (computed, _), (encoded, _) = world.run()
    assert (computed, encoded) == (0, 0)
    assert world.bytes() == clean(shards)


def test_there_and_back(world):
    before = world.bytes()
    resharding.reshard("voices", 7)
    resharding.reshard("voices", 4)
    world.run()
    assert world.bytes() == before


def test_a_number_that_it_has_already_changes_nothing(world):
    before = world.bytes()
    assert resharding.reshard("voices", 4).items == {} and world.bytes() == before


def test_no_shard_is_left_behind(world):
    resharding.reshard("voices", 2)
    world.run()
    names = {f"{shard_name(n)}.{kind}" for n in range(2) for kind in ("parquet", "npy")}
    assert {p.name for p in Path("data/tokens/env/voices").iterdir()} == names
    assert {p.name for p in world.carry("encode/env").iterdir()} == {"000", "001"}
    assert {p.name for p in world.manifests.glob("*.audio.tsv")} == {"000.audio.tsv", "001.audio.tsv"}


def test_logs_and_packs_of_shards_that_are_no_more_go_and_those_of_other_corpora_stay(world):
    Path("data/manifests/more-voices").mkdir()
    gone = ["segment_recordings/voices.003.log", "transcribe_segments/given.voices.003.counts.json"]
    stay = ["segment_recordings/voices.001.log", "segment_recordings/more-voices.003.log"]
    for name in gone + stay:
        path = Path("logs", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name in ("voices-001", "voices-003", "more-voices-003"):
        Path("work/carry/pack/all/env", name).mkdir(parents=True)
    resharding.reshard("voices", 2)
    assert sorted(p.relative_to("logs").as_posix() for p in Path("logs").rglob("*.*")) == sorted(stay)
    assert sorted(p.name for p in Path("work/carry/pack/all/env").iterdir()) == ["more-voices-003", "voices-001"]


def test_items_that_only_a_journal_holds_go_along(world, clean):
    """A job that was killed, or failed at the end, has committed nothing of what it finished."""
    for shard in [path.name for path in world.carry("encode/env").iterdir()]:
        artefact = world.artefact("tokens/env", shard)
        journal = Journal(artefact.carry / "journal")
        for key, stored in items.kept(artefact).items():
            payload = next(stored.payloads())
            journal.append(key, stored.status, stored.error, [{"digest": digest.of_bytes(payload)}], [payload])
        journal.close()
        for folder in artefact.carry.glob("g*"):
            shutil.rmtree(folder)
    for path in Path("data/tokens/env/voices").glob("00[1-3].*"):  # 000 tells how many codebooks there are
        path.unlink()
    resharding.reshard("voices", 3)
    assert world.run()[1][0] == 0 and world.bytes() == clean(3)


def test_a_pulled_cache_that_no_job_here_made_goes_along(world, clean):
    """Outputs without anything in work/: as after a clone and a pull."""
    for path in [*Path("data/segments").rglob("*.*"), *Path("data/tokens").rglob("*.*")]:
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    shutil.rmtree("work")
    resharding.reshard("voices", 6)
    assert [stage[0] for stage in world.run()] == [0, 0] and world.bytes() == clean(6)


def test_a_damaged_payload_is_left_behind_and_computed_again(world, clean):
    path = Path("data/segments/voices/000.tar")
    content = bytearray(path.read_bytes())
    content[520] ^= 1  # of the first clip, behind its header
    with open(path, "r+b") as file:
        file.write(content)
    resharding.reshard("voices", 8)
    assert world.run()[0][0] == 1 and world.bytes() == clean(8)


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("at", [5, 40, 100, 135, 142, 148, 156, 158, 161, 165, 170])
def test_killed_anywhere_it_can_be_called_again(world, clean, monkeypatch, at):
    left = [at]

    def dying(function):
        def step(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return function(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        for module, name in (
            (os, "rename"),
            (os, "replace"),
            (shutil, "rmtree"),
            (Assembly, "write"),
            (Path, "unlink"),
        ):
            patch.setattr(module, name, dying(getattr(module, name)))
        with contextlib.suppress(Killed):
            resharding.reshard("voices", 6)
    resharding.reshard("voices", 6)
    assert [stage[0] for stage in world.run()] == [0, 0] and world.bytes() == clean(6)


def test_one_that_was_interrupted_is_finished_before_another_begins(world, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(resharding, "_put_in_place", lambda *args: (_ for _ in ()).throw(Killed))
        resharding.reshard("voices", 6)
    with pytest.raises(KaikuError, match=r"being spread over 6 shards .* Call it with SHARDS=6 first"):
        resharding.reshard("voices", 3)
    monkeypatch.setattr(lock, "_held", {})  # the start's, let go at the end of the test
    with pytest.raises(
        SystemExit, match=r"voices was being spread over 6 shards .* make reshard CORPUS=voices SHARDS=6"
    ):
        start({"system": "any"}, main_process=True)
    assert resharding.reshard("voices", 6).after == 6 and resharding.reshard("voices", 3).after == 3


def test_what_cannot_be(world):
    with pytest.raises(KaikuError, match="never scanned"):
        resharding.reshard("otso", 8)
    with pytest.raises(KaikuError, match=r"0 shards\. Expected: 1 to 4096"):
        resharding.reshard("voices", 0)
