"""A workspace's life, as Hypothesis makes it up, from recordings to packs.

Whatever happens, a run that ends well leaves every artefact as a build from nothing would, and computes exactly what no
run had finished before.

KAIKU_EXAMPLES=10000 KAIKU_SEED=1 python -m pytest tests/store/test_chain_stateful.py
"""

import os
import random
import shutil
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from unittest import mock

import clean
import harm
import lives
import pytest
from chain import STAGES, Chain, How
from disk import Cache, Disk, Killed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from planner import Ledger, Planner, Process

from kaiku.errors import KaikuError
from kaiku.store import journal, owner, rows, whole
from kaiku.store.owner import Superseded

NAMES = ["s/a", "s/b", "t/a", "t/c", "t/d"]
CONTENTS = [b"", b"x", b"y|z", b"|", b"!broken", b"a longer one|by far", b"w||v", b"z|y"]
CLIPS = [b"x", b"y", b"zz", b"w"]
TEXTS = [None, "yksi", "kaksi kolme"]
CHANGES = st.one_of(st.integers(1, 60), st.integers(1, 900))

names, contents, texts = st.sampled_from(NAMES), st.sampled_from(CONTENTS), st.sampled_from(TEXTS)
shares = st.sampled_from([0.3, 0.7, 1.0])
"""Of what was not synced, how much a power cut takes."""
wheres = st.floats(0, 1, exclude_max=True)
stages, values, seeds = st.sampled_from(STAGES), st.sampled_from([1, 2]), st.integers(0, 1 << 16)


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=lives.MEMORY))
        self.corpus, self.ledger, self.how = self.root / "corpus", Ledger(), How()
        self.recordings: dict[str, bytes] = {}
        self.processes, self.numbers = count(1000), threading.local()
        self.patches = [mock.patch.object(whole, "KEPT", 1 << 30), mock.patch.object(os, "getpid", self._number)]
        for patch in self.patches:
            patch.start()

    def teardown(self):
        for patch in self.patches:
            patch.stop()
        shutil.rmtree(self.root)

    @initialize(shards=st.integers(1, 3), given=st.dictionaries(names, st.tuples(contents, texts), min_size=1))
    def first_scan(self, shards, given):
        self.chain = Chain(self.root / "workspace", self.corpus, shards, self.how)
        self.chain.root.mkdir()
        self.planner = Planner(self.chain)
        for name, (content, text) in given.items():
            self._record(name, content)
            self._transcribe(name, text)

    # --- what a user changes

    @rule(name=names, content=contents)
    def add_or_edit(self, name, content):
        self._record(name, content)

    @rule(data=st.data(), content=contents)
    def edit_and_restore_size_and_time(self, data, content):
        name = self._any_recording(data)
        size = len(self.recordings[name])
        self._record(name, ((content or b"q") * size)[:size], keep_time=True)

    @rule(data=st.data(), to=names)
    def rename(self, data, to):
        name = self._any_recording(data)
        for suffix in (".wav", ".lab"):
            path = self.corpus / f"{name}{suffix}"
            target = self.corpus / f"{to}{suffix}"
            if path.exists():
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
        self.recordings[to] = self.recordings.pop(name)

    @precondition(lambda self: len(self.recordings) > 1)
    @rule(data=st.data())
    def remove(self, data):
        name = self._any_recording(data)
        (self.corpus / f"{name}.wav").unlink()
        del self.recordings[name]

    @rule(data=st.data(), text=texts)
    def edit_text(self, data, text):
        self._transcribe(self._any_recording(data), text)

    @rule(stage=stages, value=values)
    def change_parameter(self, stage, value):
        self._set(replace(self.how, params={**self.how.params, stage: value}))

    @rule(stage=stages, version=values)
    def change_code(self, stage, version):
        self._set(replace(self.how, versions={**self.how.versions, stage: version}))

    # --- runs

    @rule()
    def run(self):
        self._run()
        self._check()

    @rule()
    def run_with_no_failure_allowed(self):
        self.chain.max_failed = 0.0
        try:
            self._run()
        except KaikuError as error:
            assert "items failed" in str(error)
        else:
            self._check()
        self.chain.max_failed = 1.0

    @rule(broken=st.sets(st.sampled_from(CLIPS), min_size=1))
    def run_while_items_fail_and_mend_it(self, broken):
        self._set(replace(self.how, broken=frozenset(broken)))
        self._run()
        self._set(replace(self.how, broken=frozenset()))
        for path in (self.chain.root / "data/tokens").glob("*.parquet"):
            if rows.STATUS_FAILED in rows.read(path, columns=["status"]).column("status").to_pylist():
                path.unlink()  # what `make retry` does

    @rule(die_at=CHANGES)
    def run_and_be_killed(self, die_at):
        with self._ends(Killed) as process, Disk(die_at=die_at).mounted():
            self.planner.run(process)

    @rule(full_at=CHANGES)
    def run_on_a_disk_that_fills_up(self, full_at):
        with self._ends(OSError) as process, Disk(full_at=full_at).mounted():
            self.planner.run(process)

    @rule(cut_at=CHANGES, share=shares, number=seeds, synced=st.booleans())
    def run_until_the_power_is_cut(self, cut_at, share, number, synced):
        self._run_and_cut_the_power(cut_at, share, number, synced)

    @rule(share=shares, number=seeds)
    def run_and_cut_the_power_afterwards(self, share, number):
        self._run_and_cut_the_power(None, share, number, synced=False)

    def _run_and_cut_the_power(self, cut_at, share, number, synced):
        self._look_what_is_left(with_outputs=False)  # they are linked aside before a run, and no such link is durable
        cache, chance = Cache(self.chain.root), random.Random(number)

        def cut(process):
            cache.lose(lambda: chance.random() < share)
            process.lost_power(synced)

        disk = Disk(die_at=cut_at, cache=cache)
        every = mock.patch.object(journal, "SYNC_EVERY_S", -1.0 if synced else 1e9)
        with self._ends(Killed, cut) as process, every, disk.mounted():
            self.planner.run(process)
        if not disk.dead:
            cut(process)
            self._nothing_is_lost()
            self._check()

    # --- what happens behind our back

    @precondition(lambda self: harm.files(self.chain.root))
    @rule(data=st.data(), where=wheres, bit=st.sampled_from([None, *range(8)]))
    def damage(self, data, where, bit):
        """A bit flips in place, or a file is cut off."""
        path = data.draw(st.sampled_from(harm.files(self.chain.root)))
        at = int(where * path.stat().st_size)
        if bit is None:
            os.truncate(path, at)
        else:
            harm.flip(path, at, bit)
        self._look_what_is_left()

    @rule(data=st.data(), where=wheres, bit=st.integers(0, 7))
    def damage_a_payload(self, data, where, bit):
        payloads = harm.payloads(self.chain.root)
        if payloads:
            path, places = data.draw(st.sampled_from(payloads))
            harm.flip(path, places[int(where * len(places))], bit)
            self._look_what_is_left()

    @precondition(lambda self: harm.files(self.chain.root))
    @rule(data=st.data(), levels=st.integers(0, 4))
    def delete(self, data, levels):
        """A file, the folder it lies in, or one further up: a carry folder, those of a stage, all of `work`."""
        path = data.draw(st.sampled_from(harm.files(self.chain.root)))
        below = len(path.relative_to(self.chain.root).parts) - 1
        path = [path, *path.parents][min(levels, below)]
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        self._look_what_is_left()

    # --- two processes

    @rule(data=st.data(), stage=st.sampled_from([s for s in STAGES if s != "select"]), pause_at=st.integers(1, 60))
    def orphan(self, data, stage, pause_at):
        """A job outlives its workflow; a new run comes to the same job while it works, or before it has the lock."""
        planned = self.planner.plan()
        jobs = [job for job in planned if job.stage == stage]
        if not jobs:
            return
        job, process = jobs[data.draw(st.integers(0, len(jobs) - 1))], self._process()
        for earlier in planned[: planned.index(job)]:
            self.planner.start(earlier)
            self.planner.finish(earlier, process)
        edit = data.draw(st.sampled_from([self._no_edit, self._edit_a_recording, self._edit_the_stage]))
        successor = _Successor(self, lambda: edit(job))
        self.planner.start(job)
        disk = Disk(pause_at=pause_at)
        disk.pause = lambda: successor.overtake(process.is_computing or disk.since_lock == 1)
        with disk.mounted():
            try:
                job.run(job, process)
            except Superseded:
                assert successor.came
            else:
                assert not successor.came_while_computing
        if successor.came:
            successor.join()
            self._check()

    def _no_edit(self, job):
        pass

    def _edit_a_recording(self, job):
        self._record(min(self.recordings), b"edited|since")

    def _edit_the_stage(self, job):
        self._set(replace(self.how, params={**self.how.params, job.stage: 3 - self.how.params[job.stage]}))

    # --- the parts

    def _any_recording(self, data):
        return data.draw(st.sampled_from(sorted(self.recordings)))

    def _record(self, name, content, keep_time=False):
        self.recordings[name] = content
        _write(self.corpus / f"{name}.wav", content, keep_time)

    def _transcribe(self, name, text):
        path = self.corpus / f"{name}.lab"
        if text is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, text.encode())

    def _set(self, how):
        self.how = self.chain.how = how

    def _number(self):
        """Number of the process that this thread stands for."""
        return getattr(self.numbers, "own", 1)

    def _process(self):
        self.numbers.own = next(self.processes)
        return Process(self.ledger)

    def _run(self):
        self.planner.run(self._process())

    @contextmanager
    def _ends(self, how, then=lambda process: None):
        """A run that may end in this way; where it ends well, it is checked like any other."""
        process = self._process()
        try:
            yield process
        except how:
            then(process)
            self._nothing_is_lost()
        else:
            self._check()

    def _check(self):
        assert self.planner.plan() == []
        clean.check(self.chain)

    def _nothing_is_lost(self):
        for place, keys in self.ledger.safe.items():
            assert keys <= harm.intact_keys(self.chain, place, with_outputs=True), place

    def _look_what_is_left(self, with_outputs=True):
        for place, keys in self.ledger.safe.items():
            self.ledger.doubt(place, keys - harm.intact_keys(self.chain, place, with_outputs=with_outputs))


class _Successor:
    """Another run of the workflow, in a thread of its own."""

    def __init__(self, life, edit):
        self.life, self.edit, self.waits = life, edit, threading.Event()
        self.came = self.came_while_computing = False
        self.errors = []

    def overtake(self, is_computing):
        """Start, and go on until this run waits for the orphan or is through."""
        self.came, self.came_while_computing = True, is_computing
        self.edit()
        self.thread = threading.Thread(target=self._run)
        with mock.patch.object(owner, "log", lambda message: self.waits.set()):
            self.thread.start()
            while self.thread.is_alive() and not self.waits.wait(0.001):
                pass

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        for error in self.errors:
            raise error

    def _run(self):
        try:
            self.life._run()
        except BaseException as error:
            self.errors.append(error)


def _write(path, content, keep_time=False):
    """Write in place; a clock that ticks too slowly for the change to show is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat() if path.exists() else None
    while True:
        path.write_bytes(content)
        if before is not None and keep_time:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        if before is None or path.stat().st_ctime_ns != before.st_ctime_ns:
            return


@pytest.mark.timeout(0 if lives.EXAMPLES else 900)
def test_whatever_happens_artefacts_are_those_of_a_clean_build_and_nothing_is_computed_twice():
    lives.live(Life, examples=130)
