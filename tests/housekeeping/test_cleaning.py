"""What can go from work/, what that frees, and that nothing else goes."""

import os
import subprocess
import sys

import pytest

from kaiku.housekeeping import cleaning
from workflow_scripts import clean_work

DAY = 86400.0
NOW = 1000 * DAY


class Workspace:
    """Files with a size and an age in days."""

    def __init__(self, root):
        self.root = root

    def put(self, name, size, age=1.0):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW - age * DAY, NOW - age * DAY))
        return path

    def link(self, source, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.root / source, path)

    def clean(self, **limits):
        """By kind, how many things went and what that freed."""
        chosen = cleaning.choose(cleaning.disposables(), NOW, **limits)
        freed = cleaning.freed_by_kind(chosen)
        before = self.bytes()
        cleaning.remove(chosen)
        assert before - self.bytes() == sum(size for _, size in freed.values())
        return freed

    def names(self):
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())

    def bytes(self):
        return sum(
            {(s.st_dev, s.st_ino): s.st_size for s in (p.stat() for p in self.root.rglob("*") if p.is_file())}.values()
        )


KEPT = [
    "data/raw/otso/.talk.12.part",
    "data/tokens/env/otso/000.npy",
    "models/toy/checkpoints/run.json",
    "work/carry/encode/env/otso/000/g000002/data",
    "work/carry/encode/env/otso/000/journal",
    "work/carry/train/toy/new/digest",
    "work/carry/train/toy/new/files/checkpoints/last",
    "work/runs/toy/current/key.json",
    "work/settings.json",
    "work/stat/otso.pickle",
]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = Workspace(tmp_path)
    for name in KEPT:
        if not name.endswith("g000002/data"):
            world.put(name, 100)
    world.link("data/tokens/env/otso/000.npy", "work/carry/encode/env/otso/000/g000002/data")
    world.link("data/tokens/env/otso/000.npy", "work/before/data/tokens/env/otso/000.npy")
    world.put("work/before/data/tokens/env/gone/000.npy", 70, age=9)
    world.put("work/carry/encode/env/otso/000/attic", 50, age=5)
    for name, age in (("old", 40), ("older", 50)):
        world.put(f"work/carry/train/toy/{name}/digest", 10, age)
        world.put(f"work/carry/train/toy/{name}/files/checkpoints/last", 1000, age)
    os.utime(tmp_path / "work/carry/train/toy/new/digest", (NOW, NOW))
    for name, age in (("new", 1), ("old", 40), ("older", 50)):
        os.utime(tmp_path / f"work/carry/train/toy/{name}", (NOW - age * DAY, NOW - age * DAY))
    world.put("work/runs/toy/set-aside/1234abcd-1/resume/step_000010/model", 500, age=30)
    world.put("data/tokens/env/otso/.000.npy.4711.part", 30, age=2)
    world.put("work/carry/encode/env/otso/000/.g000003.4711.part/data", 20, age=2)
    return world


def test_everything_that_can_go_goes_and_nothing_else(workspace):
    assert workspace.clean() == {
        "leftovers": (2, 50),
        "before a run": (2, 70),  # one of them is the output itself, under another name
        "attics": (1, 50),
        "older results": (2, 2020),
        "set-aside training": (1, 500),
    }
    assert workspace.names() == sorted(KEPT)
    assert cleaning.disposables() == []


def test_a_corpus_may_be_called_as_a_file_of_ours(workspace):
    for name in ("attic", "digest"):
        workspace.put(f"work/carry/segment/{name}/000/g000001/rows", 10)
        workspace.put(f"work/carry/segment/{name}/000/journal", 10)
    workspace.clean()
    assert workspace.names() == sorted(
        [*KEPT, *(f"work/carry/segment/{n}/000/{p}" for n in ("attic", "digest") for p in ("g000001/rows", "journal"))]
    )


def test_only_what_is_old_enough(workspace):
    assert workspace.clean(older_s=35 * DAY) == {"older results": (2, 2020)}


def test_the_oldest_first_down_to_a_size(workspace):
    assert workspace.clean(keep_bytes=1300) == {"older results": (2, 2020)}
    assert workspace.clean(keep_bytes=1300) == {}
    assert workspace.clean(keep_bytes=120) == {"before a run": (1, 70), "set-aside training": (1, 500)}


def test_a_file_is_freed_with_its_last_name_only(workspace):
    """Two names of a file that can go, in things of different age."""
    workspace.put("work/carry/train/otso/b/digest", 1)
    workspace.put("work/carry/train/otso/a/files/x", 400, age=60)
    workspace.put("work/carry/train/otso/a/digest", 1, age=60)
    workspace.link("work/carry/train/otso/a/files/x", "work/before/data/tokens/env/otso/001.npy")
    os.utime(workspace.root / "work/carry/train/otso/a", (NOW - 60 * DAY, NOW - 60 * DAY))
    chosen = [item for item in cleaning.disposables() if item.path.name == "a"]
    assert cleaning.freed_by_kind(chosen) == {"older results": (1, 1)}
    both = [item for item in cleaning.disposables() if item.path.name in ("a", "001.npy")]
    assert sum(size for _, size in cleaning.freed_by_kind(both).values()) == 401


def test_a_dry_run_says_it_and_leaves_it(workspace, capsys):
    before = workspace.names()
    assert clean_work.main(["--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "Would free 2.7 kB." in said and cleaning.LOSSES["attics"] in said
    assert workspace.names() == sorted([*before, "work/run.lock"])
    assert clean_work.main([]) == 0 and "Freed 2.7 kB." in capsys.readouterr().out
    assert workspace.names() == sorted([*KEPT, "work/run.lock"])


def test_never_while_a_run_works(workspace):
    hold = "import sys; from pathlib import Path; from kaiku.workspace import lock; lock.acquire(Path('work/run.lock'))"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print('held', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        before = workspace.names()
        command = [sys.executable, "-m", "workflow_scripts.clean_work"]
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        holder.communicate()
    assert refused.returncode == 1 and f"a run is working in this workspace (process {holder.pid}" in refused.stderr
    assert workspace.names() == before
