"""The sources as they were locked: from git, or from a folder, and proven to be those by their digests."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from kaiku.acceptance.edits import ROOT
from kaiku.errors import KaikuError
from kaiku.store import code

_DIGESTS = """
import json, sys
from kaiku.store import code
print(json.dumps({module: code.code_digest(module) for module in json.loads(sys.argv[1])}))
"""


def from_git(revision: str, folder: Path, repository: Path = ROOT) -> Path:
    """The library's sources at a revision, unpacked into a folder. Raises KaikuError where git does not have them."""
    command = ["git", "-C", str(repository), "archive", revision, "kaiku"]
    try:
        done = subprocess.run(command, capture_output=True)
    except FileNotFoundError:
        done = subprocess.CompletedProcess(command, 127, b"", b"git is not installed")
    if done.returncode:
        raise KaikuError(
            f"git has no sources at {revision} ({done.stderr.decode(errors='replace').strip()})",
            remedy="Name a commit by SINCE=, or a folder with the sources as they were locked by BEFORE=.",
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def check(folder: Path, modules: Sequence[str]) -> None:
    """Raise KaikuError where the sources in a folder are not those that `code.lock` accepted for some modules."""
    command = [sys.executable, "-c", _DIGESTS, json.dumps(list(modules))]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env={"PYTHONPATH": str(folder.resolve())}
    )
    digests = json.loads(done.stdout) if done.returncode == 0 else {}
    others = [module for module in modules if digests.get(module) != code.read_lock()[module][1]]
    if others:
        raise KaikuError(
            f"{', '.join(others)}: the sources to compare with are not those that code.lock accepted",
            expected="sources from before the edit",
            remedy="Name their commit by SINCE=, or a folder that holds them by BEFORE=.",
        )
