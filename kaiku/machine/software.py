"""Python, the installed packages against the pins, and the programs beside them."""

import importlib.metadata
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from kaiku.machine import Finding

PYTHON = (3, 11)
SNAKEMAKE = ((9, 2), (10,))
SHOWN = 5
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)")


def findings(kaiku: Path) -> Iterator[Finding]:
    """kaiku: the folder of the workflow, with envs/."""
    yield python(sys.version_info[:3])
    yield from packages(pins(kaiku / "envs/requirements.lock") | pins(kaiku / "envs/requirements-torch.txt"))
    yield from torchaudio()
    yield snakemake()
    for program, why in (("git", "manifests and kaiku.lock are kept in it"), ("make", "`make help` lists its targets")):
        if shutil.which(program) is None:
            yield Finding("software", f"{program} is not on PATH; {why}", "warning", f"Install {program}.")


def python(version: tuple[int, ...]) -> Finding:
    """Whether this Python is new enough."""
    told = f"Python {'.'.join(map(str, version))}"
    if version[:2] < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        remedy = f"Install Python {wanted} or newer and run `make setup PYTHON=python{wanted}`."
        return Finding("software", f"{told}, where {wanted} or newer is needed", "problem", remedy)
    return Finding("software", told)


def pins(lock: Path) -> dict[str, str]:
    """Distributions and versions that a file of requirements pins; empty where it is not there."""
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.is_file() else []
    return {match[1].lower(): match[2] for match in map(_PIN.match, lines) if match}


def packages(wanted: Mapping[str, str]) -> Iterator[Finding]:
    """What is installed against what is pinned. A pinned version's build for some device (`+cpu`) is that version."""
    found = {name: installed(name) for name in wanted}
    missing = [name for name, version in found.items() if version is None]
    other = [
        f"{name} {version} (pinned: {wanted[name]})"
        for name, version in found.items()
        if version is not None and version.partition("+")[0] != wanted[name].partition("+")[0]
    ]
    if missing:
        what = f"{len(missing)} of {len(wanted)} pinned packages are not installed: {_some(missing)}"
        yield Finding("software", what, "problem", "Run `make setup`.")
    if other:
        what = f"{len(other)} of {len(wanted)} packages have another version than was tested: {_some(other)}"
        yield Finding("software", what, "warning", "Run `make setup` to have what envs/requirements.lock pins.")
    if wanted and not missing and not other:
        yield Finding("software", f"{len(wanted)} packages as envs/requirements.lock pins them")


def torchaudio() -> Iterator[Finding]:
    """The one package that must not be there: nothing here uses it, and transformers imports it where it finds it.

    It is found by its files alone: importing it is what breaks.
    """
    if importlib.util.find_spec("torchaudio") is None:
        return
    own, torch = installed("torchaudio") or "of unknown version", installed("torch") or "none"
    what = f"torchaudio {own} is installed beside torch {torch}"
    remedy = "Run `pip uninstall torchaudio`; Kaiku does not need it."
    if own != torch:  # with its local part: 2.9.0 on a 2.9.0+cpu is a build for CUDA
        what += "; its libraries do not load there, and then `import transformers` fails"
        yield Finding("software", what, "problem", remedy)
    else:
        yield Finding("software", f"{what}; the next torch will break it, and transformers with it", "warning", remedy)


def snakemake() -> Finding:
    """Whether Snakemake is one that Kaiku works with."""
    version = installed("snakemake")
    wanted = ">=" + ".".join(map(str, SNAKEMAKE[0])) + ",<" + ".".join(map(str, SNAKEMAKE[1]))
    if version is None:
        return Finding("software", "Snakemake is not installed", "problem", "Run `make setup`.")
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if not SNAKEMAKE[0] <= number < SNAKEMAKE[1]:
        return Finding("software", f"Snakemake {version}, where {wanted} is needed", "problem", "Run `make setup`.")
    dvc = installed("dvc")
    return Finding("software", f"Snakemake {version}" + (f", DVC {dvc}" if dvc else ", no DVC (only for sharing)"))


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
