"""Modules of this folder that tests import by name, and no waiting for a disk whose power nobody cuts."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from reversing import Folder


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def clean(tmp_path_factory):
    """clean(shard, kind, **how): the bytes of an artefact that was built from nothing."""

    def build(shard, kind="tar", **how):
        folder = Folder(tmp_path_factory.mktemp("clean"), kind)
        folder.run(shard, **how)
        return folder.bytes()

    return build


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)
