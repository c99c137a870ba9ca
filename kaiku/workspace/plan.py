"""What Snakemake would do, asked of it by a dry run: its jobs with their programs' arguments, reasons and records."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import kaiku
from kaiku.errors import KaikuError
from kaiku.planning.job import Job, Past, Plan, plan_of
from kaiku.workspace import provenance

SNAKEFILE = Path(kaiku.__file__).parents[1] / "Snakefile"

_BLOCK = re.compile(r"^(?:local)?rule (?P<rule>\w+):\n(?P<body>(?: {4}.*\n)*)Shell command: (?P<shell>.*)$", re.M)
_FIELD = re.compile(r"^ {4}(?P<name>input|output|log|reason|wildcards): (?P<value>.*)$", re.M)
_BY_PROVENANCE = re.compile(r"(?:Params have|Code has|Software environment definition has) changed since")
_FILES = {"missing": "Missing output files", "incomplete": "Incomplete output files", "updated": "Updated input files"}
_REST = r": (.*?)(?:; (?=[A-Z])|$)"  # Snakemake joins reasons by `; `, files by `, `


def dry_run(arguments: Sequence[str] = (), snakefile: Path = SNAKEFILE) -> Plan:
    """Snakemake's plan for the workspace in the current folder.

    arguments: further ones of its command line (targets, --configfile...). Raises KaikuError with what it said where
    it cannot plan.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--dry-run", "--printshellcmds"]
    done = subprocess.run([*command, "--cores", "1", *arguments], capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stderr + done.stdout).strip().splitlines()[-20:])
        raise KaikuError(f"Snakemake cannot plan:\n{said}\n", remedy="Mend this, then ask again.")
    return plan_of(with_records(read_jobs(done.stdout + done.stderr)))


def read_jobs(said: str) -> Iterator[Job]:
    """The jobs in what a dry run with `--printshellcmds` said; those without a program (`all`) left out."""
    for block in _BLOCK.finditer(said):
        fields = {found["name"]: found["value"] for found in _FIELD.finditer(block["body"])}
        arguments = _program_arguments(block["shell"])
        if arguments is not None:
            yield Job(
                block["rule"],
                dict(pair.split("=", 1) for pair in _listed(fields.get("wildcards", ""))),
                _listed(fields.get("input", "")),
                _listed(fields.get("output", "")),
                fields.get("log", ""),
                arguments,
                **_reasons(fields.get("reason", "")),
            )


def with_records(jobs: Iterable[Job]) -> Iterator[Job]:
    """The jobs, each with what is on record of how its outputs were made before."""
    jobs = list(jobs)
    wanted = {job.outputs[0] for job in jobs}
    records = {record.output: record.content() for record in provenance.records() if record.output in wanted}
    for job in jobs:
        content = records.get(job.outputs[0])
        yield Job(**{**vars(job), "past": past(content)}) if content else job


def recorded(output: str) -> Past | None:
    """What is on record of the job that made an output."""
    found = next((record for record in provenance.records() if record.output == output), None)
    return past(found.content()) if found else None


def past(content: dict) -> Past:
    """What a record tells: parameters as plain texts, and inputs."""
    return Past(tuple(_plain(text) for text in content.get("params", ())), tuple(content.get("input", ())))


def _plain(recorded: str) -> str:
    """Snakemake records the `repr` of each parameter."""
    try:
        return str(ast.literal_eval(recorded))
    except (ValueError, SyntaxError):
        return recorded


def _program_arguments(shell: str) -> tuple[str, ...] | None:
    words = shlex.split(shell)
    if "-m" not in words:
        return None
    arguments = words[words.index("-m") + 2 :]
    return tuple(arguments[: arguments.index("3>&2")] if "3>&2" in arguments else arguments)


def _reasons(said: str) -> dict:
    own = _BY_PROVENANCE.split(said)[0]  # the parameters behind it are told in full, and may hold any words
    found = {
        name: _listed(match[1]) if (match := re.search(words + _REST, own)) else () for name, words in _FILES.items()
    }
    return {
        **found,
        "inputs_changed": "Set of input files has changed" in own,
        "forced": own.startswith("Forced execution"),
        "said": said.partition(": ")[0],
    }


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()
