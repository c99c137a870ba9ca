"""Files appear whole or not at all, and what is there stays: kills, power cuts at any change, and what they leave."""

import os
import random
from contextlib import suppress

import pytest
from disk import Cache, Disk, Killed

from kaiku.store import atomic

OLD, NEW = {"a": b"old a", "deep/b": b"old b"}, {"a": b"new and longer", "deep/c": b"c", "deep/er/d": b"d"}


def write_file(root, content):
    with atomic.writing(root / "made" / "file") as f:
        f.write(content["a"])
        f.write(b"|")


def write_folder(root, content):
    with atomic.folder(root / "made" / "folder") as beside:
        for name, data in content.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            with open(beside / name, "wb") as f:
                f.write(data)


def write_link(root, content):
    source = root / "source"
    atomic.write_bytes(source, content["a"])
    atomic.link(source, root / "made" / "link")
    atomic.fsync(root / "made")


def tree(folder):
    """Content by path of what is not hidden."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = [(path.relative_to(folder).as_posix(), path) for path in found]
    return {name: path.read_bytes() for name, path in named if "/." not in f"/{name}"}


def made(tmp_path, write, *contents):
    """What stands at the end of undisturbed writes, one over the other."""
    folder = tmp_path / f"{write.__name__}{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for content in contents:
        write(folder, content)
    return tree(folder / "made")


WRITERS = [write_file, write_folder, write_link]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("replaces", [False, True])
def test_a_power_cut_at_any_change_leaves_the_old_or_the_new_whole(tmp_path, write, replaces):
    old = made(tmp_path, write, OLD) if replaces else {}
    new = made(tmp_path, write, *([OLD] if replaces else []), NEW)
    between_renames = {} if write is write_folder else old
    chance, die_at, died = random.Random(1), 0, True
    while died:
        die_at += 1
        for number, share in enumerate([0.5] * 6 + [1.0]):
            folder = tmp_path / f"{die_at}-{number}"
            folder.mkdir()
            if replaces:
                write(folder, OLD)
            cache = Cache(folder)
            disk = Disk(die_at=die_at, cache=cache)
            with suppress(Killed), disk.mounted():
                write(folder, NEW)
            cache.lose(lambda share=share: chance.random() < share)
            died = disk.dead
            found = tree(folder / "made") if (folder / "made").exists() else {}
            assert found == new or (died and found in (old, between_renames)), die_at
    assert die_at > 5


def test_a_cache_that_loses_nothing_holds_what_was_written(tmp_path):
    cache = Cache(tmp_path)
    with Disk(cache=cache).mounted():
        for content in (OLD, NEW):
            for write in WRITERS:
                write(tmp_path, content)
        (tmp_path / "made" / "file").rename(tmp_path / "made" / "renamed")
        (tmp_path / "made" / "link").unlink()
    written = tree(tmp_path)
    assert (tmp_path / "made" / "renamed").is_file() and len(written) == 5
    cache.lose(lambda: False)
    assert tree(tmp_path) == written


def test_a_file_that_nobody_synced_is_lost_with_its_name(tmp_path):
    cache = Cache(tmp_path)
    with Disk(cache=cache).mounted(), open(tmp_path / "file", "wb") as f:
        f.write(b"content")
    cache.lose(lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_beside(tmp_path):
    for write in WRITERS:
        for full_at in range(1, 25):
            folder = tmp_path / f"{write.__name__}{full_at}"
            folder.mkdir()
            try:
                with Disk(full_at=full_at).mounted():
                    write(folder, NEW)
            except OSError:
                assert not list(tmp_path.rglob(".*")), (write.__name__, full_at)


LEFT = [".000.tar.17.part", ".000.tar.18.link", ".000.tar.9999999.old"]
OTHERS = [
    "000.tar",
    ".000.tar.17.part.bak",
    ".000.parquet.17.part",
    ".100.tar.17.part",
    ".000.tar.x.part",
    ".000-tar.17.part",
    ".000.tar.part",
]


def test_a_sweep_takes_what_was_begun_for_this_output_and_nothing_else(tmp_path):
    for name in [*LEFT, *OTHERS]:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".000.tar.19.part").mkdir()
    (tmp_path / ".000.tar.19.part" / "file").write_bytes(b"half")
    atomic.sweep(tmp_path / "000.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OTHERS)


def test_a_sweep_where_nothing_is_yet(tmp_path):
    atomic.sweep(tmp_path / "absent" / "000.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_link_across_file_systems_is_a_copy(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    write_link(tmp_path, NEW)
    assert (tmp_path / "made" / "link").read_bytes() == NEW["a"]
    assert not (tmp_path / "made" / "link").samefile(tmp_path / "source")
