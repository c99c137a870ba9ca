"""Bring a corpus' manifests up to date with its folder; every start of the workflow does the same.

python -m workflow_scripts.scan_corpus --corpus otso
"""

import argparse
from collections.abc import Sequence

from kaiku import job
from kaiku.store.items import Counts
from kaiku.workspace.start import scan_corpus


def program(args: argparse.Namespace) -> Counts:
    """Scan one corpus."""
    scanned = scan_corpus(job.read_settings(args.settings), args.corpus)
    return Counts(computed=scanned.recordings)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--corpus", required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
