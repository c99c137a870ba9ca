"""Whole-file stages (pack, train, merge, evaluate...) as single items: the same key gives back the same files at once.

Snakemake has no early cut-off: whatever stands downstream of a planned job is planned too. So a stage whose inputs'
contents, parameters and code are what they were finds its result under its key and links it out in milliseconds.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from kaiku.progress import log
from kaiku.store import atomic, digest
from kaiku.store.items import Counts
from kaiku.store.owner import owning

KEPT = 3
"""Results kept for a stage, the newest first: a parameter changed and changed back costs nothing."""

Build = Callable[[Mapping[str, Path]], None]


def run(carry: Path, key: str, outputs: Mapping[str, Path], build: Build) -> Counts:
    """Publish the stage's files or folders, building them only if no intact result stands under `key`.

    outputs: name -> path. build: gets the same names with paths in a work folder and must create every one of them.
    """
    with owning(carry) as owner:
        result = carry / key
        found = _intact(result)
        if not found:
            shutil.rmtree(result, ignore_errors=True)
            with atomic.folder(result) as building:
                files = building / "files"
                files.mkdir()
                build({name: files / name for name in outputs})
                atomic.write_text(building / "digest", digest.of_tree(files))
        owner.check()
        for name, target in outputs.items():
            _publish(result / "files" / name, target)
        os.utime(result)
        _forget_oldest(carry)
        return Counts(reused=1) if found else Counts(computed=1)


def _intact(result: Path) -> bool:
    if not (result / "digest").exists():
        return False
    if digest.of_tree(result / "files") == (result / "digest").read_text():
        return True
    log(f"made again: {result} does not match its digest")
    return False


def _publish(source: Path, target: Path) -> None:
    if source.is_file():
        atomic.link(source, target)
        return
    with atomic.folder(target) as building:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                atomic.link(path, building / path.relative_to(source))


def _forget_oldest(carry: Path) -> None:
    results = sorted((p for p in carry.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    for old in results[KEPT:]:
        shutil.rmtree(old)
