"""Collect from the web what a corpus' list names and is not here yet, and bring its manifests up to date.

python -m workflow_scripts.collect_recordings --corpus aino
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kaiku import fetch, job
from kaiku.collect.collection import collect
from kaiku.collect.table import TABLE, write_table
from kaiku.errors import KaikuError
from kaiku.fetch import consent
from kaiku.progress import tell
from kaiku.store.items import Counts
from kaiku.store.owner import owning
from kaiku.workspace.start import MANIFESTS, planned_shards, scan_corpus
from workflow_scripts.fetch_corpus import say_shards


def program(args: argparse.Namespace) -> Counts:
    """Collect one corpus."""
    settings = job.read_settings(args.settings)
    collected = [name for name, own in settings.corpora.items() if own.collect]
    if args.corpus not in collected:
        raise KaikuError(
            f"corpora.{args.corpus}: nothing to collect is configured",
            expected=f"one of {', '.join(collected)}" if collected else "",
            remedy="docs/collecting.md shows a `collect:`; `snakemake -n` reads a changed configuration.",
        )
    own, root, where = settings.corpora[args.corpus], settings.corpus_root(args.corpus), f"corpora.{args.corpus}"
    consent.require(where, own.licence, own.accept_licence, None)
    fetch.say_licence(f"corpus {args.corpus}", own.licence)
    with owning(Path("work/collect") / args.corpus) as owner:
        rows = collect(f"{where}.collect", own.collect, root, own.language, own.licence)
        owner.check()
        table = MANIFESTS / args.corpus / TABLE
        write_table(table, rows)
        states = Counter(row.state for row in rows)
        said = ", ".join(f"{states[state]} {state}" for state in ("collected", "here", "refused", "failed"))
        tell(f"{args.corpus}: {said}; {table} says why")
        if not states["collected"] + states["here"]:
            reasons = Counter(row.reason for row in rows).most_common(3)
            raise KaikuError(
                f"{where}: of {len(rows)} items none was collected: {'; '.join(f'{n} x {why}' for why, n in reasons)}",
                remedy=f"Look at {table}, mend {own.collect.sources}, and run again.",
            )
        planned = planned_shards(own)
        scan_corpus(settings, args.corpus, shards=planned)
        say_shards(args.corpus, root, planned)
    return Counts(computed=states["collected"], reused=states["here"], failed=states["refused"] + states["failed"])


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--corpus", required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
