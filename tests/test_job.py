import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

import pytest

from kaiku import job, progress
from kaiku.errors import KaikuError
from kaiku.store.items import Counts
from kaiku.store.owner import Superseded


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def arguments(*given):
    return job.parser("What it does.").parse_args(given)


def test_counts_and_seconds_stand_beside_the_log(tmp_path, capsys):
    log = tmp_path / "logs" / "encode" / "otso-000.log"
    counts = Counts(computed=3, reused=4, failed=1, damaged=2)
    assert job.run(lambda args: counts, arguments("--log", str(log))) == 0
    figures = json.loads(log.with_name("otso-000.counts.json").read_text())
    assert {name: figures[name] for name in ("computed", "reused", "failed", "damaged")} == {
        "computed": 3,
        "reused": 4,
        "failed": 1,
        "damaged": 2,
    }
    assert figures["seconds"] >= 0 and figures["cpu_seconds"] >= 0 and len(figures) == 6
    line = r"\d\d:\d\d:\d\d computed 3, reused 4, failed 1, damaged 2 in \d+\.\d s \(\d+\.\d s CPU\)\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_a_job_without_a_log_still_says_its_counts(tmp_path, capsys):
    assert job.run(lambda args: Counts(), arguments()) == 0
    assert "computed 0, reused 0, failed 0 in " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option,alone", [("--rows", True), ("--carry", False)])
def test_a_stage_that_keeps_nothing_is_owned_by_the_job_of_its_name(tmp_path, option, alone):
    left = tmp_path / ".000.parquet.1.part"
    left.write_text("of a process that was killed")
    parser = job.parser("What it does.")
    parser.add_argument(option, type=Path)
    given = parser.parse_args(["--log", "logs/select/otso-000.log", option, "000.parquet"])
    assert job.run(lambda args: Counts(), given) == 0
    assert (tmp_path / "work/jobs/select/otso-000/owner").exists() == alone
    assert left.exists() != alone


def test_a_superseded_job_ends_before_its_work(monkeypatch, capsys):
    done = []

    @contextmanager
    def taken_over(folder):
        raise Superseded(f"{folder}: a newer process took over this work")
        yield

    monkeypatch.setattr(job, "owning", taken_over)
    assert job.run(done.append, arguments("--log", "logs/select/otso-000.log")) == 1
    assert not done and "work/jobs/select/otso-000: a newer process" in capsys.readouterr().err


class Stopped(KaikuError):
    exit_code = 75


@pytest.mark.parametrize("error,status", [(KaikuError, 1), (Stopped, 75)])
def test_a_fault_is_one_plain_line(tmp_path, capsys, error, status):
    def program(args):
        raise error("x.wav is broken", expected="sound", remedy="Replace it.")

    assert job.run(program, arguments("--log", str(tmp_path / "a.log"))) == status
    assert capsys.readouterr().err == "error: x.wav is broken. Expected: sound. Replace it.\n"
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (28, "error: no room is left on the disk for x.tar (No space left on device). Make some and run again"),
        (30, "error: x.tar may not be read or written (Read-only file system). Give yourself the right to"),
    ],
)
def test_a_disk_that_is_full_or_closed_is_told_in_a_sentence(number, said, capsys):
    def program(args):
        raise OSError(number, os.strerror(number), "x.tar")

    assert job.run(program, arguments()) == 1
    told = capsys.readouterr().err
    assert told.startswith(said) and told.endswith("nothing finished is lost.\n")


def test_another_fault_of_the_machine_says_where_and_that_nothing_is_lost(capsys):
    def program(args):
        raise OSError(5, "Input/output error", "x.tar")

    assert job.run(program, arguments()) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("error: [Errno 5] Input/output error: 'x.tar'")
    assert "nothing finished is lost" in said


def test_a_mistake_of_the_program_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        job.run(lambda args: Counts(computed=1 // 0), arguments())


def test_main_parses_runs_and_returns_the_status(tmp_path):
    parser = job.parser("What it does.")
    parser.add_argument("--times", type=int)
    seen = []

    def program(args):
        seen.append((args.times, args.settings, args.log))
        return Counts()

    log = tmp_path / "x.log"
    assert job.main(program, parser, ["--times", "3", "--log", str(log)]) == 0
    assert seen == [(3, Path("work/settings.json"), log)]


def test_settings_that_were_not_resolved_yet(tmp_path):
    with pytest.raises(KaikuError, match=r"settings\.json is not there\. Run `snakemake -n`"):
        job.read_settings(tmp_path / "settings.json")


# --- progress


def test_progress_in_a_log_is_sparse_and_says_what_is_left(monkeypatch, capsys):
    clock = iter(range(0, 10_000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    assert list(progress.track("abcdefghij", total=10, label="encode", unit="clip")) == list("abcdefghij")
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "encode: 3/10 clips (30%), 0.2/s, 0:28 left",
        "encode: 6/10 clips (60%), 0.2/s, 0:16 left",
        "encode: 9/10 clips (90%), 0.2/s, 0:04 left",
    ]


@pytest.mark.parametrize("total", [None, 0])
def test_progress_without_an_end_in_sight(monkeypatch, capsys, total):
    clock = iter([0.0, 20.0, 3600.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.track([1, 2], total=total, label="scan")) == [1, 2]
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "scan: 1 items, 0.1/s",
        "scan: 2 items, 0.0/s",
    ]


def test_lines_reach_the_screen_of_the_workflow_as_well(monkeypatch, capsys):
    read, write = os.pipe()
    monkeypatch.setenv(progress.SCREEN, str(write))
    progress.tell("half-way")
    os.close(write)
    with os.fdopen(read) as screen:
        assert screen.read() == capsys.readouterr().err
    progress.tell("nobody watches any more")
    monkeypatch.setenv(progress.SCREEN, "no number")
    progress.tell("nor here")
    assert capsys.readouterr().err.count("\n") == 2


def test_clocks():
    assert [progress._clock(s) for s in (0, 59.6, 61, 3599, 3600, 90061)] == [
        *["0:00", "1:00", "1:01", "59:59", "1:00:00", "25:01:01"]
    ]
