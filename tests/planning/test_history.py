"""Seconds from this machine's own past."""

import json
import platform
from pathlib import Path

import pytest

from kaiku.planning import history


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ran(job, computed, seconds, rule="encode_tokens"):
    history.record(Path("logs", rule, f"{job}.log"), {"computed": computed, "seconds": seconds})


def test_without_a_past_there_is_no_figure():
    assert history.pace("encode_tokens") is None


def test_a_job_that_found_everything_does_not_erase_the_figure():
    ran("a", 10, 20.0)
    ran("a", 0, 0.1)
    pace = history.pace("encode_tokens")
    assert (pace.per_unit_s, pace.once_s, pace.jobs) == (2.0, 0.0, 1)
    assert pace.seconds([5, 0]) == 10.0


def test_loading_a_model_is_told_from_items_where_jobs_differ_enough():
    for job, count in (("a", 10), ("b", 20), ("c", 40)):
        ran(job, count, 6.0 + 0.5 * count)
    pace = history.pace("encode_tokens")
    assert (pace.once_s, pace.per_unit_s) == (6.0, 0.5)
    assert pace.seconds([2, 0, 4]) == 15.0


def test_jobs_of_one_size_give_a_share_each():
    for job, seconds in (("a", 10.0), ("b", 20.0), ("c", 60.0)):
        ran(job, 10, seconds)
    assert history.pace("encode_tokens").per_unit_s == 2.0


def test_starting_a_job_is_what_snakemake_saw_beside_its_work():
    ran("a", 10, 20.0)
    log = Path("logs/encode_tokens/a")
    log.parent.mkdir(parents=True)
    log.with_suffix(".counts.json").write_text(json.dumps({"computed": 10, "seconds": 20.0}))
    log.with_suffix(".tsv").write_text("s\th:m:s\n23.5\t0:00:23\n")
    pace = history.pace("encode_tokens")
    assert pace.start_s == 3.5 and pace.seconds([0, 1]) == 3.5 + 3.5 + 2.0


def test_another_machines_pace_is_named_and_never_mixed_in():
    ran("a", 10, 20.0)
    path = history.FOLDER / "encode_tokens/b.json"
    path.write_text(json.dumps({"computed": 10, "seconds": 900.0, "machine": "cluster-7"}))
    assert history.pace("encode_tokens").per_unit_s == 2.0
    (history.FOLDER / "encode_tokens/a.json").unlink()
    assert history.pace("encode_tokens").machine == "cluster-7"


def test_units_that_counts_do_not_say():
    ran("voice", 1, 300.0, "train_model")
    ran("other", 1, 9.0, "train_model")
    assert history.pace("train_model", job="voice", units=150).per_unit_s == 2.0


def test_the_machine_is_on_record():
    ran("a", 1, 1.0)
    assert json.loads((history.FOLDER / "encode_tokens/a.json").read_text())["machine"] == platform.node()
