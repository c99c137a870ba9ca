"""The last words of a run that failed: which job, the end of its log, where the log is, and what to do."""

import re
from collections.abc import Iterable
from pathlib import Path

TAIL_LINES = 12
_BLOCK = re.compile(r"^Error in rule (?P<rule>\w+):(?P<body>.*?)(?=^\S|\Z)", re.DOTALL | re.MULTILINE)
_LOG = re.compile(r"^\s+log: (?P<path>.+?)(?: \(check log file.*)?$", re.MULTILINE)

_REMEDIES = (
    (
        re.compile(r"No space left on device"),
        "The disk is full: free some space and run again; finished items are kept.",
    ),
    (re.compile(r"out of memory|MemoryError|Cannot allocate", re.I), "Memory ran out: lower batch_size, or --jobs."),
    (re.compile(r"ModuleNotFoundError|ImportError"), "The environment is not whole: run `make setup` again."),
    (re.compile(r"Permission denied|Read-only file system"), "The folder cannot be written: mend its permissions."),
    (re.compile(r"^error: (?P<said>.+)$", re.M), ""),
)


def words(snakemake_logs: Iterable[str | Path]) -> str:
    """Closing message from Snakemake's own log files; empty where no job failed."""
    failures: dict[tuple[str, str], None] = {}  # in order, each job once
    for log in map(Path, snakemake_logs):
        for block in _BLOCK.finditer(log.read_text(errors="replace") if log.is_file() else ""):
            found = _LOG.search(block["body"])
            failures[block["rule"], found["path"] if found else ""] = None
    return "\n".join(_failure(rule, path) for rule, path in failures)


def _failure(rule: str, path: str) -> str:
    log = Path(path)
    text = log.read_text(errors="replace") if path and log.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()][-TAIL_LINES:]
    shown = [f"{rule} failed. The end of its log, {path or 'which it did not write'}:"]
    shown += [f"  {line}" for line in lines] or ["  (empty)"]
    if remedy := _remedy(text):
        shown.append(f"What to do: {remedy}")
    return "\n".join(shown)


def _remedy(text: str) -> str:
    for pattern, remedy in _REMEDIES:
        if found := pattern.search(text):
            return remedy or found["said"]
    return "Read the log above; finished items are kept, and the same command goes on from there."
