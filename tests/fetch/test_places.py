"""Who fills a folder, and where it really is."""

import threading
import time
from pathlib import Path

import pytest
from loopback import NOISE, files_in, get, tar_of

from kaiku.errors import KaikuError
from kaiku.fetch import Source, download
from kaiku.store.owner import Superseded


@pytest.fixture
def held(server, monkeypatch):
    """Fetches /x in a thread, which stands still until its server is hung up on; gives the thread, and its errors."""
    monkeypatch.setattr(download, "TIMEOUT_S", 0.5)
    server.files["/x"], server.stall_for["/x"], errors = tar_of({"a.wav": NOISE}), [1000], []

    def fetch_it(target):
        try:
            get(Source(url=f"{server.url}/x"), target)
        except KaikuError as error:
            errors.append(error)

    def call(target):
        thread = threading.Thread(target=fetch_it, args=(target,))
        thread.start()
        while thread.is_alive() and not [
            path for path in Path("work/fetch").rglob("archive") if path.stat().st_size == 1000
        ]:
            time.sleep(0.01)
        return thread, errors

    return call


def test_two_corpora_of_one_archive_are_fetched_side_by_side(server, held):
    thread, errors = held(Path("data/raw/x"))
    get(Source(url=f"{server.url}/x"), Path("data/raw/y"))
    thread.join()
    assert errors == []
    assert files_in("data/raw/x") == files_in("data/raw/y") == {"a.wav": NOISE}


def test_an_older_process_with_another_source_does_not_publish_over_its_successor(server, held):
    server.files["/y"] = tar_of({"a.wav": b"newer"})
    thread, errors = held(Path("data/raw/x"))
    get(Source(url=f"{server.url}/y"))
    thread.join()
    assert [type(error) for error in errors] == [Superseded]
    assert files_in("data/raw/x") == {"a.wav": b"newer"}


def test_a_folder_that_is_a_link_to_another_disk_is_filled_there(server):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    Path("big/x").mkdir(parents=True)
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/x").symlink_to(Path("big/x").absolute())
    get(Source(url=f"{server.url}/x"))
    assert Path("data/raw/x").is_symlink() and files_in("big") == {"x/a.wav": b"one"}
    assert [p.name for folder in ("big", "data/raw") for p in Path(folder).iterdir()] == ["x", "x"]


def test_a_folder_that_is_a_link_to_nothing_is_told_before_anything_is_asked(server):
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/x").symlink_to("/nowhere/x")
    with pytest.raises(KaikuError, match="data/raw/x is a link to /nowhere/x, which is not there"):
        get(Source(url=f"{server.url}/x"))
    assert server.requests == []
