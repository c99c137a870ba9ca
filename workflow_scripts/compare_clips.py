"""Compare a shard's clips with all clips of their corpus: duplicates, and clips that stand apart.

python -m workflow_scripts.compare_clips --of data/descriptions/otso/000.parquet \
    --among data/descriptions/otso/000.parquet data/descriptions/otso/001.parquet \
    --rows data/comparisons/otso/000.parquet
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from kaiku import job, plugins
from kaiku.settings import Settings, plugin_settings
from kaiku.store import descriptions
from kaiku.store.descriptions import Compared
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Compare one shard with all."""
    settings = job.read_settings(args.settings)
    by_clip = {check: list(compared(settings, check, args)) for check in settings.checks_that_need("corpus")}
    found = [one for of_clip in zip(*by_clip.values(), strict=True) for one in of_clip]
    descriptions.write(args.rows, found)
    failed = sum(bool(one.error) for one in found)
    return Counts(computed=len(found) - failed, failed=failed)


def compared(settings: Settings, check: str, args: argparse.Namespace) -> Iterator[Compared]:
    """One check of the shard's clips, in their order."""
    module = plugins.find("checks", check)
    options = plugin_settings("checks", check, settings.checks[check], f"checks.{check}")
    among = descriptions.described(args.among, check)
    places = {clip: place for place, clip in enumerate(among.clips)}
    own = descriptions.clips_of(args.of, check)
    wanted = [clip for clip, _ in own if clip in places]
    found = module.compare(among, [places[clip] for clip in wanted], options) if wanted else []
    measures = dict(zip(wanted, found, strict=True))
    for clip, error in own:
        yield Compared(clip, check, measures.get(clip, dict.fromkeys(module.FIELDS)), error)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--of", type=Path, required=True, help="descriptions of the shard")
    made.add_argument("--among", type=Path, nargs="+", required=True, help="descriptions of all shards of its corpus")
    made.add_argument("--rows", type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
