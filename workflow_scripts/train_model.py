"""Train a run, all weights or an adapter, from packs to published checkpoints; resumes by itself after any death.

python -m workflow_scripts.train_model --run toy --train data/protos/aino/toy/train/*.protos \
    --val data/protos/aino/toy/val/*.protos --codec models/codecs/toy --base models/toy-base/merged \
    --out models/toy/checkpoints --state work/runs/toy --carry work/carry/train/toy
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import devices, job, stages
from kaiku.loading import load_codec, load_family, on_cpu
from kaiku.planning.refusal import refusal
from kaiku.progress import log
from kaiku.settings import Settings, plugin_settings
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.keys import StageKey
from kaiku.store.packs import read_packs


def program(args: argparse.Namespace) -> Counts:
    """Train one run."""
    settings = job.read_settings(args.settings)
    own = settings.runs[args.run]
    stage = stage_key(settings, args)
    wanted = result(settings, args, stage)

    def build(outputs: Mapping[str, Path]) -> None:
        from kaiku.train.run import TrainSpec, train

        packs = {split: read_packs(getattr(args, split)) for split in ("train", "val")}
        if empty := [split for split, sentences in packs.items() if not sentences]:
            raise refusal(settings, own.dataset, empty[0])
        devices.claim(own.train.device)
        codec = load_codec(on_cpu(settings.codecs[own.codec]), args.codec)
        weights = stages.mix(settings, args.run)
        spec = TrainSpec(
            family=load_family(own),
            family_settings=plugin_settings("families", own.family, own.options, f"runs.{args.run}.options"),
            base=args.base,
            codebook_sizes=codec.codebook_sizes,
            **packs,
            settings=own.train,
            lora=own.lora,
            key=wanted.key,
            key_parts=json.loads(stage.text()),
            state=args.state,
            out=outputs["checkpoints"],
            mix=weights,
            corpora=corpora_of(args.train) if weights else (),
        )
        result = train(spec)
        log(f"last step {result.last}, best {result.best} (held-out loss {result.val_loss:.4f})")

    counts = wanted.make(build)
    if counts.computed:
        from kaiku.train.state import clear

        clear(args.state)
    return counts


def corpora_of(packs: Sequence[Path]) -> list[str]:
    """The corpus of each sentence of some packs, which their names tell: {corpus}-{shard}.protos."""
    return [path.stem.rpartition("-")[0] for path in packs for _ in read_packs([path])]


def stage_key(settings: Settings, args: argparse.Namespace) -> StageKey:
    """The training's key, with the digests of its packs and base."""
    inputs = {
        "train": digest.of_value([digest.of_file(path) for path in args.train]),
        "val": digest.of_value([digest.of_file(path) for path in args.val]),
        "base": digest.of_tree(args.base) if args.base else "",
    }
    return stages.train(settings, args.run, inputs)


def result(settings: Settings, args: argparse.Namespace, stage: StageKey | None = None) -> whole.Result:
    """What is to be made, and its key. stage: the training's, where it is known."""
    key = (stage or stage_key(settings, args)).item()
    return whole.Result(args.carry, key, {"checkpoints": args.out})


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    for name in ("--train", "--val"):
        made.add_argument(name, type=Path, nargs="+", required=True)
    made.add_argument("--base", type=Path)
    for name in ("--codec", "--out", "--state", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
