"""Snakemake's records kept honest: a job that failed must be planned again, whatever target is asked for.

After a failed job Snakemake (9.x) writes the new parameters and input digests into the record of the output all the
same, and removes the output. Where files further down still exist, the next plan then says "nothing to be done". So a
record without its file becomes an incomplete one before the graph is built: an empty placeholder, a marker, no record.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_STATE = Path(".snakemake")


def repair_hidden_failures(workspace: Path = Path()) -> list[str]:
    """Turn records whose output is missing into incomplete ones; returns the outputs concerned."""
    records = workspace / _STATE / "metadata"
    repaired = []
    for record, output in list(_records(records)):
        target = workspace / output
        if target.exists():
            continue
        marker = workspace / _STATE / "incomplete" / record.relative_to(records)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"external_jobid": None}))  # first: a placeholder must never pass for the output
        _placeholder(target)
        record.unlink()
        repaired.append(output)
    return repaired


def forget_inputs(outputs: Iterable[str], workspace: Path = Path()) -> None:
    """Let records of some outputs name no inputs, as their rule names none from now on: else that change plans it."""
    wanted = set(outputs)
    for record, output in _records(workspace / _STATE / "metadata"):
        if output in wanted:
            try:
                content = json.loads(record.read_text())
            except ValueError:
                continue  # cut off by a kill; Snakemake takes such a record for none
            if content.get("input"):
                record.write_text(json.dumps({**content, "input": [], "input_checksums": {}}))


def recorded_outputs(workspace: Path = Path()) -> Iterator[str]:
    """Outputs that Snakemake has a record of, relative to the workspace."""
    for _, output in _records(workspace / _STATE / "metadata"):
        yield output


def _records(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            encoded = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
            try:
                output = base64.urlsafe_b64decode(encoded).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            if base64.urlsafe_b64encode(output.encode()).decode() == encoded:  # decoding skips what is no base64
                yield path, output


def _placeholder(target: Path) -> None:
    """Something at the output's place for the marker to be seen; outputs without a suffix are folders."""
    if target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    else:
        target.mkdir(parents=True, exist_ok=True)
