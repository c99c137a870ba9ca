"""Fetch a corpus that is not here into its folder, and write its manifests.

python -m workflow_scripts.fetch_corpus --corpus aino
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import fetch, job, plugins
from kaiku.errors import KaikuError
from kaiku.fetch import consent, subset
from kaiku.progress import tell
from kaiku.settings import layout_settings
from kaiku.store import atomic
from kaiku.store.items import Counts
from kaiku.store.shards import shards_for
from kaiku.workspace.start import MANIFESTS, is_absent, planned_shards, scan_corpus


def program(args: argparse.Namespace) -> Counts:
    """Fetch one corpus."""
    settings = job.read_settings(args.settings)
    own, root = settings.corpora[args.corpus], settings.corpus_root(args.corpus)
    if own.source is None:
        raise KaikuError(f"corpora.{args.corpus}: no source", remedy="Give it a `source:`, or a `path:` that is there.")
    fetch.say_licence(f"corpus {args.corpus}", own.licence)
    if is_absent(root):
        consent.require(f"corpora.{args.corpus}", own.licence, own.accept_licence, own.source)
        path = MANIFESTS / args.corpus / fetch.RECORD  # beside the manifests: it is versioned with them
        with fetch.fetching(own.source, root, fetch.read_record(path)) as (folder, record):
            if own.source.hours:
                discover = plugins.find("layouts", own.layout).discover
                subset.keep(folder, own.source.hours, discover, layout_settings(settings, args.corpus))
        atomic.write_json(path, {**record, "licence": own.licence})
    planned = planned_shards(own)
    scanned = scan_corpus(settings, args.corpus, shards=planned)
    say_shards(args.corpus, root, planned)
    return Counts(computed=scanned.recordings)


def say_shards(corpus: str, root: Path, planned: int) -> None:
    """Say how many shards a corpus would have by its size, where that is more than were planned before it came."""
    wanted = shards_for(sum(path.stat().st_size for path in root.rglob("*") if path.is_file()))
    if wanted > planned:
        tell(
            f"{corpus} is large for {planned} shards. For jobs that redo little, write `shards: {wanted}` into "
            f"its configuration, delete {MANIFESTS / corpus}/corpus.json, and run again."
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--corpus", required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
