"""A workspace to review, made once and copied for each test, and the browser that some tests drive."""

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import review_world
from review_client import Client


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Clips in three languages through all stages, and what another transcriber heard."""
    folder = tmp_path_factory.mktemp("reviewed")
    before = os.getcwd()
    os.chdir(folder)
    review_world.build()
    os.chdir(before)
    return folder


@pytest.fixture
def world(made, tmp_path, monkeypatch):
    """A copy of it; the test works in its folder."""
    shutil.copytree(made, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return tmp_path / "world"


@pytest.fixture
def client(world):
    """A tab that is open on a server of that workspace."""
    from kaiku.review.index import Index
    from kaiku.review.server import Review, Server

    with Server(Review(Index(review_world.settings(), review_world.DATASET), "tester")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()
