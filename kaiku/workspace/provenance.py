"""Snakemake's records kept honest: a job that failed must be planned again, whatever target is asked for.

After a failed job Snakemake (9.x) writes the new parameters and input digests into the record of the output all the
same, and removes the output. Where files further down still exist, the next plan then says "nothing to be done". So a
record without its file becomes an incomplete one before the graph is built: an empty placeholder, a marker, no record.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATE = Path(".snakemake")
_RECORD_FORMAT = 6  # of Snakemake 9; it compares no parameters of an older record
_NAME_LENGTH = 254
_FOLDER_TIME = ".snakemake_timestamp"


@dataclass(frozen=True)
class Record:
    """Where Snakemake's record of an output stands, and what tells whether it was written since."""

    file: Path
    output: str

    def stamp(self) -> tuple[int, int]:
        """Time and size of the record."""
        stat = self.file.stat()
        return stat.st_mtime_ns, stat.st_size

    def content(self) -> dict[str, Any]:
        """The record; empty where a kill cut it off, which Snakemake takes for no record."""
        try:
            return json.loads(self.file.read_text())
        except ValueError:
            return {}


def records(workspace: Path = Path(), kind: str = "metadata") -> Iterator[Record]:
    """Every record of an output that Snakemake made. kind: `incomplete` for marks of those that are not whole."""
    folder = workspace / _STATE / kind
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            above = "" if parent == str(folder) else "".join(path.parent.relative_to(folder).parts).replace("@", "")
            encoded = above + name
            try:
                output = base64.urlsafe_b64decode(encoded).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            if base64.urlsafe_b64encode(output.encode()).decode() == encoded:  # decoding skips what is no base64
                yield Record(path, output)


def repair_hidden_failures(workspace: Path = Path()) -> list[str]:
    """Turn records whose output is missing into incomplete ones; returns the outputs concerned."""
    repaired = []
    for record in list(records(workspace)):
        target = workspace / record.output
        if not target.exists():
            mark_incomplete(record.output, workspace)  # first: a placeholder must never pass for the output
            _placeholder(target)
            record.file.unlink()
            repaired.append(record.output)
    return repaired


def forget_inputs(outputs: Iterable[str], workspace: Path = Path()) -> None:
    """Let records of some outputs name no inputs, as their rule names none from now on: else that change plans it."""
    for output in outputs:
        path = _place("metadata", output, workspace)
        content = Record(path, output).content() if path.exists() else {}
        if content.get("input"):
            path.write_text(json.dumps({**content, "input": [], "input_checksums": {}}))


def forget_outputs(wanted: Callable[[str], bool], workspace: Path = Path()) -> int:
    """Remove records and marks of outputs that are no more, and that nobody is to make again; returns how many."""
    gone = [
        record for kind in ("metadata", "incomplete") for record in records(workspace, kind) if wanted(record.output)
    ]
    for record in gone:
        record.file.unlink()
    return len(gone)


def restore(output: str, rule: str, params: Iterable[str], inputs: Iterable[str], workspace: Path = Path()) -> None:
    """Write the record that Snakemake would have, had it made this output here; `starttime` 0 says that it did not."""
    path = _place("metadata", output, workspace)
    content = {
        "rule": rule,
        "input": sorted(inputs),
        "params": sorted(params),
        "log": _logs(output, workspace),
        "record_format_version": _RECORD_FORMAT,
        "starttime": 0,
        "endtime": time_of(workspace / output) / 1e9,
        "incomplete": False,
        "input_checksums": {},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    (workspace / _STATE / "incomplete").mkdir(exist_ok=True)  # without it Snakemake takes its folder for an old one
    unmark_incomplete(output, workspace)


def has_record(output: str, workspace: Path = Path()) -> bool:
    """True where Snakemake has a record of an output."""
    return _place("metadata", output, workspace).exists()


def is_as_recorded(path: str, record: dict[str, Any], workspace: Path = Path()) -> bool:
    """True where a record holds an input's checksum, as Snakemake keeps them of small files, and it still fits."""
    stated = (record.get("input_checksums") or {}).get(path)
    place = workspace / path
    return bool(stated) and place.is_file() and stated == f"sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}"


def mark_incomplete(output: str, workspace: Path = Path()) -> None:
    """Have an output's job planned, whatever else Snakemake finds."""
    marker = _place("incomplete", output, workspace)
    if not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"external_jobid": None}))


def is_incomplete(output: str, workspace: Path = Path()) -> bool:
    """True where an output is marked as not whole or not fresh."""
    return _place("incomplete", output, workspace).exists()


def unmark_incomplete(output: str, workspace: Path = Path()) -> None:
    """Take an output's mark away, but not that of a job which a cluster may still be working on."""
    marker = _place("incomplete", output, workspace)
    if marker.exists() and not Record(marker, output).content().get("external_jobid"):
        marker.unlink()


def time_of(path: Path) -> int:
    """The time that Snakemake compares, ns since 1970: of a folder it is that of a file which it leaves in there."""
    stamp = path / _FOLDER_TIME
    return (stamp if path.is_dir() and stamp.exists() else path).stat().st_mtime_ns


def touched_at(path: Path) -> int:
    """The time, ns since 1970, that no program can set: of the last change of content, name, owner or links."""
    return path.stat().st_ctime_ns


def raise_time(output: str, time_ns: int, workspace: Path = Path()) -> None:
    """Make an output no older than a time, and the benchmark of its job, which Snakemake takes for an output too."""
    if time_of(workspace / output) < time_ns:
        set_time(workspace / output, time_ns)
    for log in _logs(output, workspace):
        benchmark = (workspace / log).with_suffix(".tsv")  # as all rules name it
        if benchmark.exists() and time_of(benchmark) < time_ns:
            set_time(benchmark, time_ns)


def set_time(path: Path, time_ns: int) -> None:
    """Set the time that Snakemake compares."""
    if path.is_dir():
        path = path / _FOLDER_TIME
        path.touch()
    os.utime(path, ns=(time_ns, time_ns))


def _logs(output: str, workspace: Path) -> list[str]:
    """Logs of the job that made an output, as far as they are on record."""
    path = _place("metadata", output, workspace)
    return (Record(path, output).content().get("log") or []) if path.exists() else []


def _place(kind: str, output: str, workspace: Path) -> Path:
    """Where a record or marker stands: base64 of the output, in folders `@...` where that is too long for a name."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    pieces = [name[i : i + _NAME_LENGTH] for i in range(0, len(name), _NAME_LENGTH)]
    return workspace.joinpath(_STATE, kind, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def _placeholder(target: Path) -> None:
    """Something at the output's place for the marker to be seen; outputs without a suffix are folders."""
    if target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    else:
        target.mkdir(parents=True, exist_ok=True)
