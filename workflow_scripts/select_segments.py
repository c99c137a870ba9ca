"""Decide which of a shard's clips a dataset takes, with a reason for each that it leaves, and into which split they go.

python -m workflow_scripts.select_segments --dataset otso --corpus otso --segments data/segments/otso/000.parquet \
    --transcripts data/transcripts/given/otso/000.parquet --measures data/measures/otso/000.parquet --recordings 6 \
    --rows data/selection/otso/otso/000.parquet
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kaiku import job, plugins
from kaiku.augmentation.follow import retold, untrained
from kaiku.progress import log
from kaiku.review import decisions as review
from kaiku.review import files
from kaiku.selection import account, decide, widened
from kaiku.settings import Settings
from kaiku.store import tables
from kaiku.store.items import Counts

if TYPE_CHECKING:
    import pandas as pd


def program(args: argparse.Namespace) -> Counts:
    """Select from one shard."""
    settings = job.read_settings(args.settings)
    for _ in files.until_steady(args.decisions):
        frame = decisions(settings, args)
        tables.write_selection(args.rows, frame)
    sums = account(frame)
    log(f"{sums['kept']['clips']} of {sums['source']['clips']} clips kept; dropped: {_counted(sums['dropped'])}")
    if sums["warned"]:
        log(f"kept with a warning: {_counted(sums['warned'])}")
    return Counts(computed=len(frame))


def _counted(parts: dict[str, dict]) -> str:
    return ", ".join(f"{code} {part['clips']}" for code, part in parts.items()) or "none"


def decisions(settings: Settings, args: argparse.Namespace) -> "pd.DataFrame":
    """What becomes of each of the shard's clips."""
    fields = {field for check in settings.checks for field in plugins.find("checks", check).FIELDS}
    segments = tables.segments(args.segments)
    measures = widened(tables.measures(*args.measures), fields)
    own = settings.datasets[args.dataset].of(args.corpus)
    source = tables.selection(args.follows) if args.follows else None
    frame = review.select(
        partial(
            decide,
            segments,
            measures=measures,
            settings=own if source is None else own.of_derived(),
            recordings_total=args.recordings,
            withdrawn=settings.corpora[args.corpus].consent.withdrawn,
            untrained=() if source is None else untrained(segments["clip"], source),
            shards=args.shards,
        ),
        tables.transcripts(args.transcripts),
        files.review_of(args.decisions, args.manifest, tables.times(segments)),
        dict(zip(segments["clip"], segments["language"])),
    )
    return frame if source is None else retold(frame, source)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    for name in ("--dataset", "--corpus"):
        made.add_argument(name, required=True)
    made.add_argument("--recordings", type=int, required=True, help="recordings in the whole corpus")
    made.add_argument("--shards", type=int, default=1, help="of the whole dataset, for a subset by hours")
    for name in ("--segments", "--transcripts", "--rows"):
        made.add_argument(name, type=Path, required=True)
    made.add_argument("--measures", type=Path, nargs="+", required=True, help="of the shard, whatever measured them")
    made.add_argument("--decisions", type=Path, nargs="*", default=[], help="of people who listened, if any did")
    made.add_argument("--manifest", type=Path, nargs="*", default=[], help="the recordings that those are about")
    made.add_argument("--follows", type=Path, help="of a derived corpus: the selection of the shard it was made from")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
