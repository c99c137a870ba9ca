"""Spread a corpus over another number of shards; every finished item goes along, and nothing is computed again.

python -m workflow_scripts.reshard_corpus --corpus otso --shards 8
"""

import argparse
from collections.abc import Sequence

from kaiku import job
from kaiku.errors import KaikuError
from kaiku.housekeeping import quiet, resharding
from kaiku.progress import log
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Reshard one corpus."""
    quiet.take_workspace()
    settings = job.read_settings(args.settings)
    if settings.origin(args.corpus) != args.corpus:
        origin = settings.origin(args.corpus)
        raise KaikuError(f"{args.corpus} is derived from {origin} and has its shards", remedy=f"Use CORPUS={origin}.")
    derived = [name for name in settings.derived_corpora() if settings.origin(name) == args.corpus]
    done = resharding.reshard(args.corpus, args.shards, derived)
    for stage, count in done.items.items():
        log(f"{stage}: {count} items went along")
    if done.before == done.after:
        log(f"{args.corpus} has {done.after} shards already")
    else:
        log(
            f"{args.corpus}: {done.before} shards became {done.after}; the next run makes their files without computing"
        )
        log("their packs are other ones: training on them is planned again")
    return Counts(reused=sum(done.items.values()))


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--shards", type=int, required=True, help="jobs per stage from now on")
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
