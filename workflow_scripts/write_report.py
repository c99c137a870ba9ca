"""Write a run's report: one page that holds everything, players included.

python -m workflow_scripts.write_report --run toy --out results/toy/report.html
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.report.gather import gather
from kaiku.report.report import write_report
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Report one run."""
    write_report(gather(job.read_settings(args.settings), args.run), args.out)
    return Counts(computed=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--out", type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
