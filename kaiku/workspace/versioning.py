"""Snapshots: what git and DVC need, to give another machine the artefacts that stand here.

Only artefacts that hold enter: made from what stands here now, whole, and not edited since. Their contents go into
DVC's cache without touching them, so that times, links to `work/carry` and Snakemake's records stay as they are.
Artefacts that are not on this machine keep the entries they have.
"""

import os
import shlex
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku.errors import KaikuError
from kaiku.listing import visible_files
from kaiku.progress import track
from kaiku.store import atomic
from kaiku.workspace import attestation, dvc_files, lock, reconcile
from kaiku.workspace.dvc_files import Content, Out, Outs, out_of

NOT_CARRIED = ("fetch_", "collect_")
"""Rules of these names make nothing for DVC: sources and licences of what they fetch say who may have it."""

GIT_LINES = {
    ".gitattributes": (
        "kaiku.lock merge=union",
        "dvc.yaml merge=kaiku",
        "dvc.lock merge=kaiku",
        "data/manifests/**/*.tsv merge=kaiku",
        "data/review/**/*.tsv merge=kaiku",
    ),
    ".gitignore": (
        ".snakemake/",
        "/data/*",
        "!/data/manifests/",
        "!/data/review/",
        "!/data/raw/",
        "/data/raw/*",
        "!/data/raw/*.dvc",
        "/dist/",
        "/logs/",
        "/models/",
        "/results/",
        "/work/",
    ),
    ".dvcignore": (".*.part", ".snakemake", ".snakemake_timestamp", "/work", "/logs"),
}
IN_GIT = ("config", "data/manifests", "data/review", "kaiku.lock", "dvc.yaml", "dvc.lock", *GIT_LINES, ".dvc")


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot came to: artefacts recorded, files new to DVC's cache, artefacts left out, paths to commit."""

    recorded: int
    new_files: int
    refused: list[str]
    for_git: list[str]


def snapshot(settled: Iterable[str] = (), workspace: Path = Path()) -> Snapshot:
    """Bring kaiku.lock, dvc.yaml and dvc.lock up to date with what holds here, and its contents into DVC's cache.

    settled: outputs whose inputs do not matter any more. Nothing is run, and nothing is committed or sent.
    """
    if not lock.acquire(workspace / "work/run.lock"):
        raise KaikuError("a run is working in this workspace", remedy="Wait for it, or end it, and call again.")
    prepare(workspace)
    known, stages = dvc_files.read(workspace)
    refused = _attest(settled, workspace)
    artefacts = _carried(workspace, frozenset(refused))
    found, new_files = _store(artefacts, workspace)
    _keep_others(found, known, artefacts.keys())
    dvc_files.write(workspace, found, stages)
    return Snapshot(len(artefacts), new_files, refused, _unknown_to_git(workspace))


def prepare(workspace: Path = Path()) -> None:
    """Give a workspace what sharing needs: lines for git and DVC to go by, and the merge driver in this clone."""
    if not (workspace / ".dvc").is_dir():
        raise KaikuError(
            f"{workspace.resolve()} is not known to DVC",
            expected="a folder in which `git init` and `dvc init` were called",
            remedy="Call them (`dvc init --subdir` in a folder of a larger repository), then this again.",
        )
    for name, lines in GIT_LINES.items():
        path = workspace / name
        text = path.read_text() if path.exists() else ""
        missing = [line for line in lines if line not in text.splitlines()]
        if missing:
            atomic.write_text(path, text + "".join(f"{line}\n" for line in missing))
    _check_ignored(workspace)


def cache_lists(outs: Outs, workspace: Path = Path()) -> None:
    """Put DVC's own lists of the files in folders into its cache: dvc.lock does without them, `dvc status` does not."""
    from dvc.repo import Repo

    with Repo(str(workspace)) as repo, repo.lock:
        _cache_lists(repo, outs)


def _attest(settled: Iterable[str], workspace: Path) -> list[str]:
    """Attest what holds; what does not keeps the attestation it had, as it keeps its entry in dvc.lock."""
    path = workspace / attestation.LOCK
    before = attestation.read(path)
    refused = reconcile.attest(frozenset(settled), workspace)
    now = [entry for entries in attestation.read(path).values() for entry in entries]
    attestation.write(path, now + [entry for artefact in refused for entry in before.get(artefact, ())])
    return refused


def _carried(workspace: Path, refused: frozenset[str]) -> dict[str, str]:
    """Artefacts that stand here and hold, each with the rule that makes it."""
    rules = {path: own[-1].rule for path, own in attestation.read(workspace / attestation.LOCK).items()}
    return {
        path: rule
        for path, rule in rules.items()
        if path not in refused and not rule.startswith(NOT_CARRIED) and (workspace / path).exists()
    }


def set_merge_driver(python: str, workspace: Path = Path()) -> None:
    """Tell git in this clone how `merge=kaiku` of .gitattributes is done."""
    for key, value in (
        ("name", "Kaiku's files, entry by entry"),
        ("driver", f"{shlex.quote(python)} -m workflow_scripts.merge_locks %O %A %B %P"),
    ):
        subprocess.run(["git", "config", f"merge.kaiku.{key}", value], cwd=workspace, check=True)


def _unknown_to_git(workspace: Path) -> list[str]:
    """Of what belongs into git, what differs from the last commit."""
    names = [name for name in IN_GIT if (workspace / name).exists()]
    asked = [
        subprocess.run(["git", "status", "--porcelain", "--", name], cwd=workspace, stdout=subprocess.PIPE)
        for name in names
    ]
    return [name for name, said in zip(names, asked, strict=True) if said.stdout]


def _check_ignored(workspace: Path) -> None:
    """An ignored manifest would be missing from the commit without a word."""
    asked = subprocess.run(["git", "check-ignore", "--quiet", "data/manifests/any.tsv"], cwd=workspace)
    if asked.returncode == 0:
        raise KaikuError(
            f"{workspace.resolve()}: git ignores data/manifests",
            expected="manifests in git, which say what the artefacts were made from",
            remedy="Take the line that ignores all of data/ out of .gitignore.",
        )


def _keep_others(found: Outs, known: Outs, artefacts: Collection[str]) -> None:
    """Entries of artefacts that were not recorded now stay as they were."""
    for path, out in known.items():
        kept = {name: own for name, own in out.files.items() if not {path, f"{path}/{name}"} & artefacts}
        if kept:
            files = found.setdefault(path, Out(out.stage)).files
            files |= {name: own for name, own in kept.items() if name not in files}


def _store(artefacts: Mapping[str, str], workspace: Path) -> tuple[Outs, int]:
    """Put the contents of artefacts into DVC's cache; returns them by out, and how many the cache did not have."""
    from dvc.repo import Repo

    outs: Outs = {}
    new_files = 0
    places = [(path, file) for path in artefacts for file in _files_of(workspace / path)]
    with Repo(str(workspace)) as repo, repo.lock:
        for path, file in track(places, total=len(places), label="snapshot", unit="file"):
            out = out_of(path, is_folder=(workspace / path).is_dir())
            name = file.relative_to(workspace / out).as_posix() if file != workspace / out else ""
            content, is_new = _cached(repo, file)
            outs.setdefault(out, Out(artefacts[path])).files[name] = content
            new_files += is_new
        _cache_lists(repo, outs)
    reconcile.Ledger(workspace).relinked(artefacts)  # a hard link into the cache, and its protection, change times
    return outs, new_files


def _cached(repo: Any, file: Path) -> tuple[Content, bool]:
    """Content of a file, put into the cache by the first of the configured kinds of link that works there."""
    from dvc_data.hashfile.hash import hash_file

    path, cache = os.path.abspath(file), repo.cache.local
    meta, found = hash_file(path, repo.fs, "md5", state=repo.state)
    is_new = not cache.exists(found.value)
    if is_new:
        cache.add(path, repo.fs, found.value, hardlink=cache.cache_types[0] == "hardlink")
    return Content(found.value, meta.size), is_new


def _cache_lists(repo: Any, outs: Outs) -> None:
    from dvc_data.hashfile.tree import Tree

    for out in outs.values():
        if out.is_folder:
            files = [{"relpath": name, "md5": own.md5} for name, own in out.files.items()]
            tree = Tree.from_list(files, hash_name="md5")
            tree.digest()
            repo.cache.local.add(tree.path, tree.fs, tree.oid)


def _files_of(path: Path) -> list[Path]:
    return visible_files(path) if path.is_dir() else [path]
