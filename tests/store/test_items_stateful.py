"""A shard's life, as Hypothesis makes it up: edits, kills and full disks in any order, against builds from nothing."""

import shutil
import tempfile
from pathlib import Path

import lives
import pytest
from disk import Disk, Killed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from reversing import Folder

from kaiku.store.items import Counts

IDS = [*"abcdef"]
CONTENTS = [b"", b"x", b"y|z", b"|", b"!broken", b"longer than the others|by far", b"w||v"]


class Shard(RuleBasedStateMachine):
    """What a user does between runs; every run is checked. `finished` holds the keys that no job may compute again."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=lives.MEMORY))
        self.shard, self.how, self.perhaps = {}, {"times": 1, "speaker": "aino"}, set()

    @initialize(
        kind=st.sampled_from(["tar", "npy", "none"]),
        shard=st.dictionaries(st.sampled_from(IDS), st.sampled_from(CONTENTS)),
    )
    def first_scan(self, kind, shard):
        self.kind, self.shard = kind, dict(shard)
        self.folder = Folder(self.root / "workspace", kind)

    @rule(id=st.sampled_from(IDS), content=st.sampled_from(CONTENTS))
    def add_or_edit(self, id, content):
        self.shard[id] = content

    @precondition(lambda self: self.shard)
    @rule(data=st.data(), to=st.sampled_from(IDS))
    def rename(self, data, to):
        self.shard[to] = self.shard.pop(data.draw(st.sampled_from(sorted(self.shard))))

    @precondition(lambda self: self.shard)
    @rule(data=st.data())
    def remove(self, data):
        del self.shard[data.draw(st.sampled_from(sorted(self.shard)))]

    @rule(times=st.sampled_from([1, 2]))
    def change_parameter(self, times):
        self.how["times"] = times

    @rule(speaker=st.sampled_from(["aino", "otso"]))
    def change_label(self, speaker):
        self.how["speaker"] = speaker

    @rule(die_at=st.integers(1, 120))
    def run_and_be_killed(self, die_at):
        self._run_on(Disk(die_at=die_at), Killed)

    @rule(full_at=st.integers(1, 120))
    def run_on_a_disk_that_fills_up(self, full_at):
        self._run_on(Disk(full_at=full_at), OSError)

    @rule()
    def run_with_no_failure_allowed(self):
        self._forget_outputs()
        broken = any(content.startswith(b"!") for content in self.shard.values())
        try:
            self.folder.run(self.shard, max_failed=0, **self.how)
        except Exception as error:
            assert broken and "items failed" in str(error)
        else:
            assert not broken

    @rule()
    def run(self):
        missing, failed = self._missing(), self._failed()
        self._forget_outputs()
        counts = self.folder.run(self.shard, **self.how)
        computed = len(set(self.folder.computed) - failed)
        assert computed == counts.computed and counts.damaged == 0
        assert missing - self.perhaps <= self._keys_asked_for() <= missing
        assert counts == Counts(computed, len(self.shard) - computed - len(failed), len(failed))
        clean = Folder(Path(tempfile.mkdtemp(dir=self.root)), self.kind)
        clean.run(self.shard, **self.how)
        assert self.folder.bytes() == clean.bytes()
        left = sorted(path.name[0] for path in self.folder.carry.iterdir())
        assert left == [*(["a"] if "a" in left else []), "g", "l", "o"]  # attic, generation, lock, owner

    def teardown(self):
        shutil.rmtree(self.root)

    def _run_on(self, disk, end):
        missing = self._missing()
        self._forget_outputs()
        try:
            with disk.mounted():
                self.folder.run(self.shard, **self.how)
        except end:
            # An item in flight may or may not have reached the journal.
            self.perhaps |= self._keys_asked_for() - self.folder.finished
        assert self._keys_asked_for() <= missing

    def _forget_outputs(self):
        self.folder.forget_outputs()
        self.folder.computed = []

    def _items(self):
        return self.folder.items(self.shard, **self.how)

    def _missing(self):
        return {item.key for item in self._items()} - self.folder.finished

    def _failed(self):
        return {id for id, content in self.shard.items() if content.startswith(b"!")}

    def _keys_asked_for(self):
        return {item.key for item in self._items() if item.id in self.folder.computed}


@pytest.mark.timeout(0 if lives.EXAMPLES else 900)
def test_a_shard_is_that_of_a_clean_build_and_nothing_is_computed_twice():
    lives.live(Shard, examples=150)
