"""Train a run, all weights or an adapter, from packs to published checkpoints; resumes by itself after any death.

python -m workflow_scripts.train_model --run toy --train data/protos/aino/toy/train/*.protos \
    --val data/protos/aino/toy/val/*.protos --codec models/codecs/toy --base models/toy-base/merged \
    --out models/toy/checkpoints --state work/runs/toy --carry work/carry/train/toy
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.loading import load_codec, load_family
from kaiku.progress import log
from kaiku.settings import plugin_settings
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.packs import read_packs


def program(args: argparse.Namespace) -> Counts:
    """Train one run."""
    settings = job.read_settings(args.settings)
    own = settings.runs[args.run]
    inputs = {
        "train": digest.of_value([digest.of_file(path) for path in args.train]),
        "val": digest.of_value([digest.of_file(path) for path in args.val]),
        "base": digest.of_tree(args.base) if args.base else "",
    }
    stage = stages.train(settings, args.run, inputs)
    key = stage.item()

    def build(outputs: Mapping[str, Path]) -> None:
        from kaiku.train.run import TrainSpec, train

        codec = load_codec(settings.codecs[own.codec], args.codec)
        spec = TrainSpec(
            family=load_family(own),
            family_settings=plugin_settings("families", own.family, own.options, f"runs.{args.run}.options"),
            base=args.base,
            codebook_sizes=codec.codebook_sizes,
            train=read_packs(args.train),
            val=read_packs(args.val),
            settings=own.train,
            lora=own.lora,
            key=key,
            key_parts=json.loads(stage.text()),
            state=args.state,
            out=outputs["checkpoints"],
        )
        result = train(spec)
        log(f"last step {result.last}, best {result.best} (held-out loss {result.val_loss:.4f})")

    counts = whole.run(args.carry, key, {"checkpoints": args.out}, build)
    if counts.computed:
        from kaiku.train.state import clear

        clear(args.state)
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--run", required=True)
    for name in ("--train", "--val"):
        parser.add_argument(name, type=Path, nargs="+", required=True)
    parser.add_argument("--base", type=Path)
    for name in ("--codec", "--out", "--state", "--carry"):
        parser.add_argument(name, type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
