"""Write a dataset's kept clips in a form that others read, with the licences of all that is in it.

python -m workflow_scripts.export_dataset --export otso-lj --selection data/selection/otso/otso/000.parquet \
    --out dist/exports/otso-lj --carry work/carry/export/otso-lj
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.exporting import Exporting
from kaiku.settings import Settings
from kaiku.store import whole
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Write one export."""
    settings = job.read_settings(args.settings)
    exporting = Exporting(settings, args.export, args.selection)
    return result(settings, args, exporting).make(lambda outputs: exporting.write(outputs["folder"]))


def result(settings: Settings, args: argparse.Namespace, exporting: Exporting | None = None) -> whole.Result:
    """What is to be made, and its key."""
    exporting = exporting or Exporting(settings, args.export, args.selection)
    key = stages.export(settings, args.export, {"clips": exporting.content()}).item()
    return whole.Result(args.carry, key, {"folder": args.out}, keep=1)  # it is as large as the audio itself


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--export", required=True)
    made.add_argument("--selection", type=Path, nargs="+", required=True)
    for name in ("--out", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
