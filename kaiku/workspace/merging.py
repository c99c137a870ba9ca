"""Two people's snapshots merged: entry by entry, where git would see conflicts in neighbouring lines.

git calls `merge` as the driver that .gitattributes names for dvc.yaml, dvc.lock, manifests and decisions of a review.
An entry of dvc.lock is a shard of a stage, or a whole artefact: files that one job wrote together stay together. Where
both changed an entry, ours stands at first, told aloud, because git merges in memory and shows the driver no other
file; once the merge stands on disk, `choose` takes theirs where only theirs was made from what the merge came to.
"""

import subprocess
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from kaiku.errors import KaikuError
from kaiku.store import digest
from kaiku.workspace import attestation, dvc_files
from kaiku.workspace.attestation import Attestation
from kaiku.workspace.dvc_files import Content, Out

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
TABLES = MANIFESTS, REVIEW = "data/manifests/", "data/review/"
"""Folders of text files in git, one line an entry."""
Unit = tuple[str, str, str]
"""What one job wrote into an out: stage, out, and the shard's name, or "" where the out is one artefact."""
Units = dict[Unit, dict[str, Content]]


@dataclass(frozen=True)
class Merged:
    """A merged text, and the entries that both sides changed, each in its own way."""

    text: str
    conflicts: list[str]


def merge(name: str, base: str, ours: str, theirs: str) -> Merged:
    """Merge three versions of a workspace's file; `base` is empty where both sides added it."""
    kind = PurePosixPath(name).name
    if kind == dvc_files.LOCK.name:
        return _merge_locks(base, ours, theirs)
    if kind == dvc_files.YAML.name:
        return _merge_yamls(base, ours, theirs)
    if REVIEW in name:
        return _merge_decisions(base, ours, theirs)
    return _merge_manifests(base, ours, theirs)


def three_way(base: Mapping[K, V], ours: Mapping[K, V], theirs: Mapping[K, V]) -> tuple[dict[K, V], list[K]]:
    """What either side changed, and the keys that both changed: ours, or the change where the other side removed it."""
    merged: dict[K, V] = {}
    conflicts = []
    for key in sorted(base.keys() | ours.keys() | theirs.keys()):
        was, own, other = base.get(key), ours.get(key), theirs.get(key)
        value = other if own == was else own
        if own != other and own != was and other != was:
            conflicts.append(key)
            value = own if own is not None else other
        if value is not None:
            merged[key] = value
    return merged, conflicts


def choose(workspace: Path, settled: Collection[str] = ()) -> list[str]:
    """After a merge: of entries that both changed, take theirs where only theirs fits the merged workspace.

    Fits: made from the manifests and files that stand here, and from artefacts that fit. Returns the entries taken.
    """
    commits = _heads(workspace)
    sides = [_units(dvc_files.parse_lock(_show(workspace, commit, dvc_files.LOCK))) for commit in commits]
    attested = [attestation.parse(_show(workspace, commit, attestation.LOCK)) for commit in commits[1:]]
    fits = _judge(attestation.read(workspace / attestation.LOCK), frozenset(settled), workspace)
    known, stages = dvc_files.read(workspace)
    units, theirs, taken = _units(known), sides[2], []
    for unit in three_way(*sides)[1]:
        own, other = (all(map(fits, _of_unit(unit, side))) for side in attested)
        if unit in theirs and other and not own:
            units[unit] = theirs[unit]
            taken.append(_told(unit))
    dvc_files.write(workspace, _outs(units), stages)
    return taken


def resolve_unmerged(workspace: Path) -> dict[str, list[str]]:
    """Merge files that git left in conflict because this clone did not know the driver; conflicts by file."""
    listed = _git(workspace, "ls-files", "--unmerged", "-z").split("\0")
    names = sorted({line.partition("\t")[2] for line in listed if line})
    found = {}
    for name in (n for n in names if n in ("dvc.yaml", "dvc.lock") or n.startswith(TABLES)):
        sides = [_git(workspace, "show", f":{stage}:./{name}", missing="") for stage in (1, 2, 3)]
        merged = merge(name, *sides)
        (workspace / name).write_text(merged.text, encoding="utf-8")
        found[name] = merged.conflicts
    return found


def _merge_locks(base: str, ours: str, theirs: str) -> Merged:
    merged, conflicts = three_way(*(_units(dvc_files.parse_lock(text)) for text in (base, ours, theirs)))
    return Merged(dvc_files.lock_text(_outs(merged)), list(map(_told, conflicts)))


def _merge_yamls(base: str, ours: str, theirs: str) -> Merged:
    sides = map(dvc_files.parse_yaml, (base, ours, theirs))
    named = [{(stage, out): True for stage, outs in side.items() for out in ["", *outs]} for side in sides]
    merged, _ = three_way(*named)
    outs = {out: Out(stage) for stage, out in merged if out}
    return Merged(dvc_files.yaml_text(outs, {stage for stage, _ in merged}), [])


def _merge_manifests(base: str, ours: str, theirs: str) -> Merged:
    """Lines of one recording belong together; a scan of the recordings, where they are, has the last word."""
    merged, conflicts = three_way(*map(_recordings, (base, ours, theirs)))
    head = (ours or theirs).partition("\n")[0]
    lines = [line for own in merged.values() for line in own]
    return Merged("\n".join([head, *lines]) + "\n", conflicts)


def _merge_decisions(base: str, ours: str, theirs: str) -> Merged:
    """All that either side decided; what one side took away, as by a rename, is gone. The latest of a clip counts."""
    was, own, other = (set(text.split("\n")[1:]) for text in (base, ours, theirs))
    lines = sorted(((own | other) - (was - own) - (was - other)) - {""})
    return Merged("\n".join([(ours or theirs).partition("\n")[0], *lines]) + "\n", [])


def _recordings(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.split("\n")[1:]:
        if line:
            recording = line.partition("\t")[0]
            found[recording] = (*found.get(recording, ()), line)
    return found


def _units(outs: dvc_files.Outs) -> Units:
    found: Units = {}
    for path, out in outs.items():
        for name, content in out.files.items():
            shard = name.rpartition("/")[2].partition(".")[0] if path.startswith("data/") else ""
            found.setdefault((out.stage, path, shard), {})[name] = content
    return found


def _outs(units: Units) -> dvc_files.Outs:
    found: dvc_files.Outs = {}
    for (stage, path, _), files in units.items():
        found.setdefault(path, Out(stage)).files.update(files)
    return found


def _told(unit: Unit) -> str:
    _, path, shard = unit
    return f"{path}, shard {shard}" if shard else path


def _judge(lock: Mapping[str, list[Attestation]], settled: frozenset[str], workspace: Path) -> Callable[..., bool]:
    """Whether an attestation holds in the merged workspace, whose artefacts here may be those of before the merge."""

    @cache
    def digests(path: str) -> frozenset[str]:
        if path in lock:
            return frozenset(entry.digest for entry in lock[path] if fits(entry))
        place = workspace / path
        return frozenset([digest.of_tree(place) if place.is_dir() else digest.of_file(place)] if place.exists() else [])

    def fits(entry: Attestation) -> bool:
        return entry.path in settled or all(found in digests(path) for path, found in entry.inputs)

    return fits


def _of_unit(unit: Unit, attested: Mapping[str, list[Attestation]]) -> list[Attestation]:
    stage, path, shard = unit
    newest = (entries[-1] for own, entries in attested.items() if own == path or own.startswith(f"{path}/"))
    found = [entry for entry in newest if entry.rule == stage]
    return [entry for entry in found if not shard or PurePosixPath(entry.path).name.partition(".")[0] == shard]


def _heads(workspace: Path) -> tuple[str, str, str]:
    """Common ancestor, our side and theirs, of the merge that is under way or was committed last."""
    under_way = _git(workspace, "rev-parse", "--quiet", "--verify", "MERGE_HEAD", missing="").strip()
    ours, theirs = ("HEAD", under_way) if under_way else ("HEAD^1", "HEAD^2")
    if not _git(workspace, "rev-parse", "--quiet", "--verify", theirs, missing="").strip():
        raise KaikuError("the last commit is no merge", remedy="Call this right after `git merge` or `git pull`.")
    return _git(workspace, "merge-base", ours, theirs).strip(), ours, theirs


def _show(workspace: Path, commit: str, name: Path) -> str:
    return _git(workspace, "show", f"{commit}:./{name}", missing="")


def _git(workspace: Path, *arguments: str, missing: str | None = None) -> str:
    """What git says; `missing` where it finds nothing, if given."""
    done = subprocess.run(["git", *arguments], cwd=workspace, capture_output=True, text=True)
    if done.returncode and missing is not None:
        return missing
    if done.returncode:
        raise KaikuError(f"git {arguments[0]}: {done.stderr.strip()}", remedy="Call this in a git repository.")
    return done.stdout
