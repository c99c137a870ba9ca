"""A model's folder is read once, and again only when a file of it is another one."""

import os

import pytest

from kaiku import loading
from kaiku.errors import KaikuError
from kaiku.store import digest


@pytest.fixture
def reads(monkeypatch, tmp_path):
    """Folders that were digested, in order; the test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    found, whole = [], digest.of_tree
    monkeypatch.setattr(digest, "of_tree", lambda folder: found.append(folder) or whole(folder))
    return found


def test_a_folder_is_read_once(tmp_path, reads):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    first = loading.weights_digest(folder)
    assert loading.weights_digest(folder) == first == digest.of_tree(folder) and reads == [folder] * 2


def test_an_edit_is_seen_though_size_and_time_are_as_they_were(tmp_path, reads):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    first, before = loading.weights_digest(folder), (folder / "model.bin").stat()
    (folder / "model.bin").write_bytes(b"WEIGHTS")
    os.utime(folder / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loading.weights_digest(folder) != first
    (folder / "more.json").write_text("{}")
    assert len({first, loading.weights_digest(folder)}) == 2 and len(reads) == 3


def test_an_absent_folder_is_named(tmp_path, reads):
    with pytest.raises(KaikuError, match="absent, a model's folder, is not there"):
        loading.weights_digest(tmp_path / "absent")
