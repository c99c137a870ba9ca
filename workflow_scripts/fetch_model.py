"""Fetch a base model into its folder, with a record of where it came from, its digest and licence, there and in git.

python -m workflow_scripts.fetch_model --base openaudio-s1-mini --record models/base/openaudio-s1-mini/fetched.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import fetch, job
from kaiku.errors import KaikuError
from kaiku.fetch import consent
from kaiku.fetch.unpack import lift_only_folder
from kaiku.store import atomic, digest
from kaiku.store.items import Counts
from kaiku.workspace.start import MANIFESTS


def program(args: argparse.Namespace) -> Counts:
    """Fetch one base model."""
    own = job.read_settings(args.settings).bases[args.base]
    if own.source is None:
        raise KaikuError(f"bases.{args.base}: no source", remedy="Give it a `source:`, or a `path:` that is there.")
    consent.require(f"bases.{args.base}", own.licence, own.accept_licence, own.source)
    fetch.say_licence(f"base {args.base}", own.licence)
    path = MANIFESTS / f"{args.base}.{fetch.RECORD}"  # versioned; Snakemake removes the other one before a job
    with fetch.fetching(own.source, args.record.parent, fetch.read_record(path)) as (folder, record):
        lift_only_folder(folder, called=f"base {args.base}")
        record |= {"licence": own.licence, "digest": digest.of_tree(folder)}
        atomic.write_json(folder / args.record.name, record)
    atomic.write_json(path, record)
    return Counts(computed=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--record", type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
