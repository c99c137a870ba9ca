"""Pack a shard's kept clips, text and codes together, into fish-speech's container: one file a split.

python -m workflow_scripts.pack_protos --dataset otso --codec toy --corpus otso \
    --selection data/selection/otso/otso/000.parquet --tokens data/tokens/toy/otso/000.parquet \
    --codes data/tokens/toy/otso/000.npy \
    --train data/protos/otso/toy/train/otso-000.protos --val data/protos/otso/toy/val/otso-000.protos \
    --test data/protos/otso/toy/test/otso-000.protos --carry work/carry/pack/otso/toy/otso-000
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.packs import SPLITS, sentences, unencoded
from kaiku.store.protos import group_by_speaker, write_protos


def program(args: argparse.Namespace) -> Counts:
    """Pack one shard."""
    wanted = result(job.read_settings(args.settings), args)

    def build(outputs: Mapping[str, Path]) -> None:
        for split, path in outputs.items():
            kept = sentences(args.selection, args.tokens, args.codes, split)
            count = write_protos(path, group_by_speaker(args.corpus, kept))
            log(f"{split}: {count} clips")
            if left_out := unencoded(args.selection, args.tokens, split):
                log(f"{split}: {left_out} kept clips have no tokens of {args.codec} and are left out")

    return wanted.make(build)


def result(settings: Settings, args: argparse.Namespace) -> whole.Result:
    """What is to be made, and its key."""
    inputs = [digest.of_file(path) for path in (args.selection, args.tokens, args.codes)]
    key = stages.pack(settings, args.dataset, args.codec).item(args.corpus, *inputs)
    return whole.Result(args.carry, key, {split: getattr(args, split) for split in SPLITS})


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    for name in ("--dataset", "--codec", "--corpus"):
        made.add_argument(name, required=True)
    for name in ("--selection", "--tokens", "--codes", *(f"--{split}" for split in SPLITS), "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
