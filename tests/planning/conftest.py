"""A workspace in a folder of its own, made once and copied for each test."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import small_workspace


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Three clips, through all stages of items."""
    folder = tmp_path_factory.mktemp("small")
    before = os.getcwd()
    os.chdir(folder)
    for name, level in (("one", 0.5), ("two", 0.25), ("three", 1.5)):
        small_workspace.speak(name, level)
    small_workspace.run(small_workspace.configure())
    os.chdir(before)
    return folder


@pytest.fixture
def workspace(made, tmp_path, monkeypatch):
    """A copy of it; the test works in its folder."""
    shutil.copytree(made, tmp_path / "workspace")
    monkeypatch.chdir(tmp_path / "workspace")
    return tmp_path / "workspace"
