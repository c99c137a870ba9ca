"""Write a run's report: one page that holds everything, players included; and for programs, its licences.

python -m workflow_scripts.write_report --run toy --out results/toy/report.html --licences results/toy/licences.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.report.gather import gather
from kaiku.report.report import write_report
from kaiku.store import atomic
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Report one run."""
    settings = job.read_settings(args.settings)
    write_report(gather(settings, args.run), args.out)
    atomic.write_json(args.licences, settings.licences(args.run))
    return Counts(computed=1)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    for name in ("--out", "--licences"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
