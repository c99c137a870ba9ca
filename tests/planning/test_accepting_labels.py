"""Columns that follow from stored rows, compared with what the code of now makes of them: nothing is computed."""

from types import SimpleNamespace

import pytest
from small_workspace import PROGRAMS, configure, jobs

from kaiku.acceptance.examination import Examination, using
from kaiku.acceptance.shard import StoredShard
from kaiku.store import code
from workflow_scripts import transcribe_segments

MODULE = "kaiku.text.normalise"


@pytest.fixture
def shard(workspace, tmp_path):
    settings = configure()
    (job,) = [job for job in jobs(settings) if job.rule == "transcribe_segments"]
    return StoredShard.open(PROGRAMS[job.rule], settings, job, tmp_path / "scratch")


def test_a_spelling_that_changes_is_seen_and_one_that_does_not_is_equal(shard, monkeypatch):
    items = shard.published()
    assert {item.id for item in items} == {"one", "two", "three"}
    assert [shard.label_differences(item) for item in items] == [[], [], []]
    monkeypatch.setattr(transcribe_segments, "normalise", lambda text, language: text.upper())
    assert [d.what for d in shard.label_differences(items[0])] == ["text is 'SANA', stored is 'sana'"]


def test_no_item_of_a_shard_is_computed_for_it(shard):
    assert shard.affected(MODULE) == [], "its edit changes no item's key"
    assert list(using(configure(), MODULE)) == ["transcribe_segments"]


def test_the_stage_is_compared_by_its_stored_rows(workspace, tmp_path, monkeypatch):
    settings = configure()
    made = code.read_lock()
    found = [job for job in jobs(settings) if job.rule == "transcribe_segments"]
    monkeypatch.setattr("kaiku.acceptance.examination._made_with_locked_code", lambda job: bool(made))
    monkeypatch.setattr(transcribe_segments, "load", lambda *_: pytest.fail("a clip was heard"))
    examination = Examination(settings, found, PROGRAMS, tmp_path / "scratch")
    examination.watch = SimpleNamespace(watching=_nothing)
    (comparison,) = examination._items("transcribe_segments", [MODULE])
    assert comparison.compared == 3 and not comparison.differing and not comparison.untried
    monkeypatch.setattr(transcribe_segments, "normalise", lambda text, language: text + "!")
    (comparison,) = examination._items("transcribe_segments", [MODULE])
    assert len(comparison.differing) == 3


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None
