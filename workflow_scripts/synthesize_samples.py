"""Let a merged model speak some sentences of each split, beside what the codec makes of the originals' codes.

python -m workflow_scripts.synthesize_samples --run toy --model models/toy/merged --codec models/codecs/toy \
    --train data/protos/aino/toy/train/*.protos --val data/protos/aino/toy/val/*.protos --out results/toy/samples \
    --carry work/carry/synthesize/toy
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.loading import load_codec, load_family
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.packs import read_packs
from kaiku.synthesis import synthesize, write_samples


def program(args: argparse.Namespace) -> Counts:
    """Synthesize for one run."""
    settings = job.read_settings(args.settings)
    own = settings.runs[args.run]
    inputs = {
        "model": digest.of_tree(args.model),
        "codec": digest.of_tree(args.codec),
        "packs": digest.of_value([digest.of_file(path) for path in (*args.train, *args.val)]),
    }
    key = stages.synthesize(settings, args.run, inputs).item()

    def build(outputs: Mapping[str, Path]) -> None:
        import torch

        family, codec = load_family(own), load_codec(settings.codecs[own.codec], args.codec)
        model = family.load_base(args.model, torch.float32).eval()
        splits = {"train": read_packs(args.train), "val": read_packs(args.val)}
        write_samples(outputs["samples"], synthesize(family, model, codec, splits, own.samples), codec.sample_rate)

    return whole.run(args.carry, key, {"samples": args.out}, build)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--run", required=True)
    for name in ("--train", "--val"):
        parser.add_argument(name, type=Path, nargs="+", required=True)
    for name in ("--model", "--codec", "--out", "--carry"):
        parser.add_argument(name, type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
