import pytest

from kaiku.workspace import closing

# As Snakemake 9.27 wrote it, but for names, times and paths.
RECORDED = """\
Building DAG of jobs...
Using shell: /usr/bin/bash
Provided cores: 2 (use --cores to define parallelism)
Job stats:
job       count
------  -------
middle        1
last          1
total         2

Select jobs to execute...
Execute 1 jobs...
[Sat Nov 21 08:52:18 2026]
localrule middle:
    output: y.txt
    log: logs/middle.log
    jobid: 2
    reason: Params have changed since last execution: before: 'one' now: 'two'
    resources: tmpdir=/tmp
RuleException:
CalledProcessError in file "/w/Snakefile", line 8:
Command 'set -euo pipefail;  (echo two > y.txt; test two != two) > logs/middle.log 2>&1' returned non-zero exit status 1
[Sat Nov 21 08:52:18 2026]
Error in rule middle:
    message: None
    jobid: 2
    output: y.txt
    log: logs/middle.log (check log file(s) for error details)
    shell:
        (echo two > y.txt; test two != two) > logs/middle.log 2>&1
        (command exited with non-zero exit code)
Removing output files of failed job middle since they might be corrupted:
y.txt
Shutting down, this might take some time.
Exiting because a job execution failed. Look above for error messages
"""
SECOND = RECORDED.replace("rule middle", "rule other").replace("logs/middle.log", "logs/with space/other.log")
WITHOUT_LOG = "Error in rule {rule}:\n    message: None\n    jobid: 1\n    output: x\n    shell:\n        false\n\n"
READ = "Read the log above; finished items are kept, and the same command goes on from there."


@pytest.fixture
def words(tmp_path, monkeypatch):
    """words(snakemake's log, {path: a job's log}): the closing message."""
    monkeypatch.chdir(tmp_path)

    def closing_words(said, logs=()):
        for path, text in dict(logs).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(text.encode() if isinstance(text, str) else text)
        (tmp_path / "run.snakemake.log").write_text(said)
        return closing.words(["run.snakemake.log"]).splitlines()

    return closing_words


def test_the_end_of_the_log_and_what_to_do(words):
    log = "08:00:01 start\n\nerror: corpora.otso: 0 of 3 clips kept. Expected: some. Lower select.min_s.\n"
    assert words(RECORDED, {"logs/middle.log": log}) == [
        "middle failed. The end of its log, logs/middle.log:",
        "  08:00:01 start",
        "  error: corpora.otso: 0 of 3 clips kept. Expected: some. Lower select.min_s.",
        "What to do: corpora.otso: 0 of 3 clips kept. Expected: some. Lower select.min_s.",
    ]


def test_a_long_log_is_cut_to_its_end(words):
    found = words(RECORDED, {"logs/middle.log": "".join(f"line {n}\n" for n in range(100))})
    assert found[1:-1] == [f"  line {n}" for n in range(100 - closing.TAIL_LINES, 100)]
    assert found[-1] == f"What to do: {READ}"


def test_each_failed_job_is_told_once(words):
    logs = {"logs/middle.log": "one\n", "logs/with space/other.log": "two\n"}
    assert words(RECORDED + SECOND + RECORDED, logs) == [
        "middle failed. The end of its log, logs/middle.log:",
        "  one",
        f"What to do: {READ}",
        "other failed. The end of its log, logs/with space/other.log:",
        "  two",
        f"What to do: {READ}",
    ]


def test_jobs_that_wrote_no_log(words):
    found = words(RECORDED + WITHOUT_LOG.format(rule="first") + WITHOUT_LOG.format(rule="second"))
    assert [line for line in found if "failed" in line] == [
        "middle failed. The end of its log, logs/middle.log:",
        "first failed. The end of its log, which it did not write:",
        "second failed. The end of its log, which it did not write:",
    ]
    assert found.count("  (empty)") == 3


@pytest.mark.parametrize(
    "log,remedy",
    [
        ("OSError: [Errno 28] No space left on device: 'x'", "The disk is full"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "Memory ran out"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable\nMemoryError", "Memory ran out"),
        ("ModuleNotFoundError: No module named 'peft'", "The environment is not whole"),
        ("PermissionError: [Errno 13] Permission denied: 'data'", "The folder cannot be written"),
        ("OSError: [Errno 30] Read-only file system: 'data'", "The folder cannot be written"),
        ("ValueError: who knows\nerror: one thing. Do that.\n08:00:00 bye", "one thing. Do that."),
        (b"\xff\xfe not text", "Read the log above"),
        ("", "Read the log above"),
    ],
)
def test_what_to_do(words, log, remedy):
    assert words(RECORDED, {"logs/middle.log": log})[-1].startswith(f"What to do: {remedy}")


def test_a_run_without_a_failure_has_no_last_words(words):
    assert words(RECORDED.split("RuleException")[0]) == []
    assert closing.words(["nowhere.log"]) == "" == closing.words([])
