"""Attestations: what each artefact is, from what it was made, and under which parameters; `kaiku.lock` holds them.

The file is text of one line an attestation, sorted, so that git merges two people's by union; lines that nobody needs
any more are harmless. A reader takes the one whose digest is that of the file at hand. Parameters, which many
artefacts share, stand on lines of their own:

    params TAB id TAB the rule's parameters as a JSON list
    artefact TAB digest TAB rule TAB id of its parameters TAB inputs as JSON {path: digest} TAB when it was made here
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kaiku.errors import CorruptFile
from kaiku.store import atomic, digest

LOCK = Path("kaiku.lock")
FORMAT = 1
_HEAD = f"# kaiku.lock, format {FORMAT}: what each artefact is and what it was made from. Written by `make snapshot`."
_PARAMS = "params"


@dataclass(frozen=True)
class Attestation:
    """One artefact as it was made.

    digest: of the file, or of the folder's tree; inputs: digest by path; made: when Snakemake started its job, s since
    1970, where it was made in this workspace, else 0.
    """

    path: str
    digest: str
    rule: str
    params: tuple[str, ...]
    inputs: tuple[tuple[str, str], ...]
    made: float = 0.0


def read(path: Path) -> dict[str, list[Attestation]]:
    """Attestations by artefact, in the order of the file; empty where there is no file."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error
    return parse(text, path)


def parse(text: str, path: Path = LOCK) -> dict[str, list[Attestation]]:
    """Attestations by artefact from the text of a lock; `path` is what an error calls it."""
    found: dict[str, list[Attestation]] = defaultdict(list)
    lines = text.splitlines()
    params: dict[str, tuple[str, ...]] = {}
    waiting: list[list[str]] = []
    try:
        for line in lines:
            fields = line.split("\t")
            if fields[0] == _PARAMS:
                params[fields[1]] = tuple(json.loads(fields[2]))
            elif line and not line.startswith("#"):
                waiting.append(fields)
            elif line.startswith("# kaiku.lock") and line != _HEAD:
                raise CorruptFile(f"{path}: {line}", expected=f"format {FORMAT}", remedy="Use the Kaiku that wrote it.")
        for artefact, own, rule, key, inputs, made in waiting:
            entry = Attestation(artefact, own, rule, params[key], tuple(json.loads(inputs).items()), float(made))
            found[artefact].append(entry)
    except (ValueError, KeyError, IndexError) as error:
        raise _unreadable(path, error) from error
    return dict(found)


def _unreadable(path: Path, error: Exception) -> CorruptFile:
    return CorruptFile(
        f"{path} cannot be read ({type(error).__name__}: {error})",
        expected="lines as `make snapshot` writes them",
        remedy="Take it from git, or delete it: artefacts are then known by this machine's own records only.",
    )


def write(path: Path, attestations: Iterable[Attestation]) -> bool:
    """Write attestations sorted, each once; True if the file changed.

    Lines of parameters stay even where nothing here refers to them now: a merge by union takes away a line that one
    side dropped, and the other side's artefacts may still need it.
    """
    params: dict[str, str] = {}
    lines = set()
    for entry in attestations:
        text = digest.canonical(list(entry.params))
        key = digest.of_bytes(text.encode())[:12]
        params[key] = text
        inputs = digest.canonical(dict(entry.inputs))
        lines.add("\t".join([entry.path, entry.digest, entry.rule, key, inputs, repr(entry.made)]))
    lines |= {f"{_PARAMS}\t{key}\t{text}" for key, text in params.items()}
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines |= {line for line in before if line.startswith(f"{_PARAMS}\t")}
    return atomic.write_text_if_changed(path, "\n".join([_HEAD, *sorted(lines)]) + "\n")
