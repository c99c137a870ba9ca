"""What a killed process leaves half-written is gone once another did its work, wherever the first one died."""

import os
from contextlib import suppress

import pytest
from disk import Disk, Killed
from reversing import Folder

from kaiku.store import whole


class Items:
    """An item stage whose contents change from run to run."""

    def __init__(self, root):
        self.folder = Folder(root)

    def run(self, number):
        self.folder.run({"a": b"one|two", "b": b"of run %d" % number})


class Whole:
    """A whole-file stage that makes a file and a folder, by another key in each run."""

    def __init__(self, root):
        self.carry, self.outputs = root / "carry", {"page": root / "out" / "page", "model": root / "out" / "model"}

    def run(self, number):
        def build(paths):
            paths["page"].write_text(f"page {number}")
            paths["model"].mkdir()
            (paths["model"] / "weights").write_text(f"weights {number}")

        whole.run(self.carry, str(number), self.outputs, build)


@pytest.mark.parametrize("stage", [Items, Whole])
def test_a_kill_anywhere_leaves_nothing_for_ever(tmp_path, monkeypatch, stage):
    die_at, died, left_over = 0, True, 0
    while died:
        die_at += 1
        root = tmp_path / str(die_at)
        made, disk = stage(root), Disk(die_at=die_at)
        made.run(1)
        monkeypatch.setattr(os, "getpid", lambda: 1001)
        with suppress(Killed), disk.mounted():
            made.run(2)
        died = disk.dead
        left_over += any("1001" in path.name for path in root.rglob(".*"))
        monkeypatch.setattr(os, "getpid", lambda: 1002)
        made.run(2)
        assert list(root.rglob(".*")) == [], die_at
    assert die_at > 30 and left_over > 10
