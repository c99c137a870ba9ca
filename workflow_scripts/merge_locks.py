"""Merge what two people's workspaces say in git: dvc.yaml, dvc.lock and manifests.

python -m workflow_scripts.merge_locks                            # after a merge that told of entries both had changed
python -m workflow_scripts.merge_locks --install                  # tell git in this clone to call it
python -m workflow_scripts.merge_locks BASE OURS THEIRS PATH      # as git calls it; the result replaces OURS
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.job import read_settings
from kaiku.workspace import dvc_files, merging, start, versioning


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="set git's merge driver in this clone")
    parser.add_argument("versions", nargs="*", metavar="BASE OURS THEIRS PATH", help="none, or all four")
    args = parser.parse_args(argv)
    if len(args.versions) not in (0, 4):
        parser.error("BASE OURS THEIRS PATH: none, or all four")
    try:
        if args.install:
            versioning.set_merge_driver(sys.executable)
        elif args.versions:
            _drive(*args.versions)
        else:
            _after_merge()
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _drive(base: str, ours: str, theirs: str, name: str) -> None:
    merged = merging.merge(name, *(Path(version).read_text(encoding="utf-8") for version in (base, ours, theirs)))
    Path(ours).write_text(merged.text, encoding="utf-8")
    if name.endswith(dvc_files.LOCK.name):
        versioning.cache_lists(dvc_files.parse_lock(merged.text), Path(name).parent)
    _tell(name, merged.conflicts)


def _after_merge() -> None:
    for name, conflicts in merging.resolve_unmerged(Path()).items():
        print(f"{name} is merged")
        _tell(name, conflicts)
    taken = merging.choose(Path(), _settled())
    versioning.cache_lists(dvc_files.read(Path())[0])
    for entry in taken:
        print(f"{entry}: theirs is taken, which alone fits the merged manifests")
    print(f"{len(taken)} entries changed. Now:\n\ngit add dvc.yaml dvc.lock data/manifests\ngit commit\ndvc pull")


def _settled() -> list[str]:
    settings = read_settings(start.RESOLVED)
    return start.settled_outputs(settings, start.fitted_codecs(settings))


def _tell(name: str, conflicts: Sequence[str]) -> None:
    for entry in conflicts:
        print(
            f"{name}: both changed {entry}: ours is kept; `make merge-locks` takes theirs if only that fits",
            file=sys.stderr,
        )


if __name__ == "__main__":
    raise SystemExit(main())
