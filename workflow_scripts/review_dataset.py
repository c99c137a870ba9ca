"""Listen to the clips of a dataset in the browser; keep, reject and correct them. What is decided is in data/review.

python -m workflow_scripts.review_dataset --dataset otso                         # a page on this machine alone
python -m workflow_scripts.review_dataset --dataset otso --export out --clips 50 # one file, to listen elsewhere
python -m workflow_scripts.review_dataset --dataset otso --import decisions-otso.tsv
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.errors import KaikuError
from kaiku.review import export
from kaiku.review.index import Index
from kaiku.review.orders import SHOWN, Question
from kaiku.review.server import Review, Server

PORT = 8737


def program(args: argparse.Namespace) -> None:
    """Export, import, or serve until interrupted."""
    settings = job.read_settings(args.settings)
    if args.merge:
        found = export.merge(list(settings.corpora), args.merge)
        print(f"{found.new} decisions merged, {found.known} were known already")
        if found.homeless:
            print(f"no recording here has the content of {', '.join(found.homeless)}: these do not apply here")
        return
    index = Index(settings, args.dataset)
    if args.export:
        question = Question(args.order, args.show, args.reason)
        path, clips = export.export(index, question, args.clips, args.export, args.reviewer)
        print(f"{path}: {clips} clips; what is downloaded from it, merge with --import")
        return
    with Server(Review(index, args.reviewer), args.port) as server:
        print(f"{len(index.frame):,} clips of {args.dataset}: open {server.url}", flush=True)
        print("Decisions are written to data/review at once. Ctrl-C ends.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nEnded; the next run of the workflow takes in what was decided.")


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--settings", type=Path, default=Path("work/settings.json"), help="the resolved configuration")
    made.add_argument("--dataset", required=True)
    made.add_argument("--port", type=int, default=PORT, help="0: any that is free")
    made.add_argument("--reviewer", default=getpass.getuser(), help="whose decisions these are")
    made.add_argument("--export", type=Path, metavar="FOLDER", help="write one page with clips in it instead")
    made.add_argument("--clips", type=int, default=100, help="how many to export")
    made.add_argument("--order", default="suspicion", help="of the exported list, as the page offers them")
    made.add_argument("--show", choices=SHOWN, default="all", help="which clips to export")
    made.add_argument("--reason", default="", help="export those left out for this reason")
    made.add_argument("--import", type=Path, dest="merge", metavar="FILE", help="merge decisions of an exported page")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    try:
        program(parser().parse_args(argv))
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
