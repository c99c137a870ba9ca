"""Whole-file stages (pack, train, merge, evaluate...) as single items: the same key gives back the same files at once.

Snakemake has no early cut-off: whatever stands downstream of a planned job is planned too. So a stage whose inputs'
contents, parameters and code are what they were finds its result under its key and links it out in milliseconds.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.progress import log
from kaiku.store import atomic, digest
from kaiku.store.items import Counts
from kaiku.store.owner import owning

KEPT = 3
"""Results kept for a stage, the newest first: a parameter changed and changed back costs nothing."""

Build = Callable[[Mapping[str, Path]], None]


@dataclass(frozen=True)
class Result:
    """A stage's files or folders (name -> path) and their key, as a job of it would find or make them; see `run`."""

    carry: Path
    key: str
    outputs: Mapping[str, Path]
    keep: int | None = None

    def make(self, build: Build) -> Counts:
        """Publish them; see `run`."""
        return run(self.carry, self.key, self.outputs, build, self.keep)

    def kept(self) -> dict[str, Path] | None:
        """Where each stands in the carry folder under its key, not verified; None where `make` would build."""
        files = self.carry / self.key / "files"
        found = {name: files / name for name in self.outputs}
        whole = (self.carry / self.key / "digest").exists() and all(path.exists() for path in found.values())
        return found if whole else None


def run(carry: Path, key: str, outputs: Mapping[str, Path], build: Build, keep: int | None = None) -> Counts:
    """Publish the stage's files or folders, building them only if no intact result stands under `key`.

    outputs: name -> path. build: gets the same names with paths in a work folder and must create every one of them.
    keep: results kept for the stage, this one among them; KEPT where it is not said.
    """
    with owning(carry) as owner:
        _remove_unfinished(carry)
        result = carry / key
        found = _intact(result, outputs)
        if not found:
            shutil.rmtree(result, ignore_errors=True)
            with atomic.folder(result) as building:
                files = building / "files"
                files.mkdir()
                build({name: files / name for name in outputs})
                _check_complete(files, outputs)
                atomic.write_text(building / "digest", digest.of_tree(files))
        owner.check()
        for name, target in outputs.items():
            atomic.sweep(target)
            _publish(result / "files" / name, target)
        os.utime(result)
        _forget_oldest(carry, KEPT if keep is None else keep)
        return Counts(reused=1) if found else Counts(computed=1)


def _intact(result: Path, outputs: Iterable[str]) -> bool:
    files = result / "files"
    if not (result / "digest").exists() or not all((files / name).exists() for name in outputs):
        return False
    if digest.of_tree(files) == (result / "digest").read_text(errors="replace"):
        return True
    log(f"made again: {result} does not match its digest")
    return False


def _check_complete(files: Path, outputs: Iterable[str]) -> None:
    absent = [name for name in outputs if not (files / name).exists()]
    if absent:
        raise KaikuError(f"{', '.join(absent)}: the stage ended well and did not make it", expected="every output")


def _remove_unfinished(carry: Path) -> None:
    """Work folders of processes that were killed while they built."""
    for path in carry.glob(".*"):
        if path.is_dir():
            shutil.rmtree(path)


def _publish(source: Path, target: Path) -> None:
    if source.is_file():
        atomic.link(source, target)
        atomic.fsync(target.parent)
        return
    with atomic.folder(target) as building:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                atomic.link(path, building / path.relative_to(source))


def _forget_oldest(carry: Path, keep: int) -> None:
    results = sorted((p for p in carry.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    for old in results[keep:]:
        shutil.rmtree(old)
