"""Let a merged model speak some sentences of each split, beside what the codec makes of the originals' codes.

python -m workflow_scripts.synthesize_samples --run toy --model models/toy/merged --codec models/codecs/toy \
    --train data/protos/aino/toy/train/*.protos --val data/protos/aino/toy/val/*.protos --out results/toy/samples \
    --carry work/carry/synthesize/toy
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import devices, job, stages
from kaiku.loading import codec_device, load_codec, load_family
from kaiku.settings import Settings
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.packs import read_packs
from kaiku.synthesis import synthesize, write_samples


def program(args: argparse.Namespace) -> Counts:
    """Synthesize for one run."""
    settings = job.read_settings(args.settings)
    own = settings.runs[args.run]

    def build(outputs: Mapping[str, Path]) -> None:
        import torch

        devices.claim(settings.device, codec_device(settings.codecs[own.codec]))
        family, codec = load_family(own), load_codec(settings.codecs[own.codec], args.codec)
        model = family.load_base(args.model, torch.float32).eval().to(devices.torch_device(settings.device))
        splits = {"train": read_packs(args.train), "val": read_packs(args.val)}
        write_samples(outputs["samples"], synthesize(family, model, codec, splits, own.samples), codec.sample_rate)

    return result(settings, args).make(build)


def result(settings: Settings, args: argparse.Namespace) -> whole.Result:
    """What is to be made, and its key."""
    inputs = {
        "model": digest.of_tree(args.model),
        "codec": digest.of_tree(args.codec),
        "packs": digest.of_value([digest.of_file(path) for path in (*args.train, *args.val)]),
    }
    return whole.Result(args.carry, stages.synthesize(settings, args.run, inputs).item(), {"samples": args.out})


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    for name in ("--train", "--val"):
        made.add_argument(name, type=Path, nargs="+", required=True)
    for name in ("--model", "--codec", "--out", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
