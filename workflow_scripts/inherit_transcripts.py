"""Give each derived clip of a shard the text of the clip it was made from.

python -m workflow_scripts.inherit_transcripts --segments data/segments/otso-slow/000.parquet \
    --transcripts data/transcripts/given/otso/000.parquet --rows data/transcripts/given/otso-slow/000.parquet
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.augmentation.follow import inherited
from kaiku.store import tables
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Write one shard."""
    frame = inherited(tables.segments(args.segments), tables.transcripts(args.transcripts))
    tables.write_transcripts(args.rows, frame)
    return Counts(computed=len(frame))


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--segments", type=Path, required=True, help="of the derived corpus")
    made.add_argument("--transcripts", type=Path, required=True, help="of its source")
    made.add_argument("--rows", type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
