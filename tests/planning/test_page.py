"""A plan summed and written out."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import small_workspace
from small_workspace import configure, job, jobs

from kaiku.planning import estimate, history
from kaiku.planning.estimate import Disk
from kaiku.planning.page import NOTHING, duration, page, size_of
from kaiku.planning.work import Work
from kaiku.sections import PriceSettings


def cut(shard, compute, **more):
    names = {"corpus": "voices", "shard": shard}
    outputs = [f"data/segments/voices/{shard}.{kind}" for kind in ("parquet", "tar")]
    return Work(job("segment_recordings", names, [], outputs, []), compute, **more)


def test_jobs_of_a_stage_are_one_line_and_trainings_one_each(workspace):
    runs = [
        Work(job("train_model", {"run": run}, [], [run], []), 100, note="resumed from step 20") for run in ("a", "b")
    ]
    works = [cut("000", 2, there=3, tally={"of them failed before": 1}), cut("001", 0, there=5), *runs]
    lines = estimate.by_stage(works)
    assert [line.name for line in lines] == ["segment_recordings", "train_model a", "train_model b"]
    first = lines[0]
    assert (first.jobs, first.compute, first.there, first.about, first.unit) == (2, 2, 8, False, "recordings")
    assert first.notes == ("1 of them failed before",) and lines[1].notes == ("resumed from step 20",)


def test_one_estimate_makes_a_line_an_estimate_and_one_unknown_an_unknown(workspace):
    assert estimate.by_stage([cut("000", 2), cut("001", 3, about=True)])[0].about
    line = estimate.by_stage([cut("000", None, about=True)])[0]
    assert (line.compute, line.more, line.seconds) == (0, True, None)
    text = page("s", [], [line], estimate.disk([]))
    assert "not known yet" in text and "no history yet" in text
    line = estimate.by_stage([cut("000", 2), cut("001", None, about=True)])[0]
    assert (line.compute, line.more) == (2, True) and "at least 2" in page("s", [], [line], estimate.disk([]))


def test_seconds_are_those_of_the_past(workspace):
    shutil.rmtree(history.FOLDER, ignore_errors=True)  # what making the workspace took, another time each time
    history.record(Path("logs/segment_recordings/x.log"), {"computed": 10, "seconds": 5.0})
    Path("models/a/checkpoints").mkdir(parents=True)
    Path("models/a/checkpoints/run.json").write_text(json.dumps({"steps": 50}))
    history.record(Path("logs/train_model/a.log"), {"computed": 1, "seconds": 100.0})
    run = Work(job("train_model", {"run": "a"}, [], ["models/a/checkpoints"], []), 10)
    other = Work(job("train_model", {"run": "b"}, [], ["models/b/checkpoints"], []), 10)
    lines = estimate.by_stage([cut("000", 4), run, other])
    assert [line.seconds for line in lines[1:]] == [20.0, None]
    assert lines[0].seconds >= 2.0
    assert "Time: at least" in page("s", ["why"], lines, estimate.disk([]))


def test_time_is_money_where_an_hour_has_a_price(workspace):
    lines = [replace(estimate.by_stage([cut("000", 4)])[0], seconds=1800.0)]
    price = PriceSettings(hour=1.19, currency="USD")
    assert "Money: 0.59 USD at 1.19 USD an hour." in page("s", [], lines, estimate.disk([]), price)
    unknown = replace(lines[0], seconds=None)
    assert "Money: at least 0.59 USD" in page("s", [], [*lines, unknown], estimate.disk([]), price)
    assert "Money" not in page("s", [], [unknown], estimate.disk([]), price)
    assert "Money" not in page("s", [], lines, estimate.disk([]))


def test_bytes_are_those_of_what_is_there(workspace):
    settings = configure()
    segment = next(made for made in jobs(settings) if made.rule == "segment_recordings")
    there = sum(Path(output).stat().st_size for output in segment.outputs)
    found = estimate.disk([Work(segment, 6), cut("001", 3), Work(segment, 0)])
    assert found.added == {"segment_recordings": pytest.approx(there * 9 / 3, abs=2)} and not found.is_short
    nothing_like_it = Work(job("train_model", {"run": "a"}, [], ["models/a"], []), 10)
    assert estimate.disk([nothing_like_it]).added == {"train_model": None}
    text = page("s", [], estimate.by_stage([nothing_like_it]), estimate.disk([nothing_like_it]))
    assert "Disk: nothing to go by yet; " in text
    both = [nothing_like_it, cut("001", 3)]
    assert "Nothing to go by yet for train_model" in page("s", [], estimate.by_stage(both), estimate.disk(both))


def test_a_short_disk_is_said_aloud():
    short = Disk({"encode_tokens": 950}, free=1000)
    assert short.is_short and not replace(short, free=1100).is_short
    assert "WARNING" in page("s", [], estimate.by_stage([Work(job("x", {"run": "a"}, [], ["x"], []), 1)]), short)


def test_nothing_to_do():
    assert page("s", [], [], Disk({}, 0)) == NOTHING


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (3100, "3.1 kB"), (20e6, "20 MB"), (1.5e9, "1.5 GB"), (3e12, "3.0 TB")],
)
def test_sizes(size, words):
    assert size_of(size) == words


def test_a_whole_plan_as_text(workspace):
    works = [cut("000", 2, there=1), cut("001", 0, there=3)]
    text = page("small", ["voices: 2 recordings added"], estimate.by_stage(works), estimate.disk(works))
    assert text.splitlines()[:4] == ["Plan of small: 2 jobs", "", "Why", "  voices: 2 recordings added"]
    row = next(line for line in text.splitlines() if line.startswith("segment_recordings"))
    assert row.split()[1:5] == ["2", "2", "4", "recordings"]
    assert small_workspace.CONFIG["system"] == "small"
