"""Measure a merged model: held-out loss against chance, use of the text, retrieval of what it says, lengths.

python -m workflow_scripts.evaluate_model --run toy --model models/toy/merged --codec models/codecs/toy \
    --train data/protos/aino/toy/train/*.protos --val data/protos/aino/toy/val/*.protos --samples results/toy/samples \
    --selection data/selection/aino/aino/*.parquet --out results/toy/metrics.json --carry work/carry/evaluate/toy
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kaiku import devices, job, stages
from kaiku.loading import codec_device, load_codec, load_family
from kaiku.settings import Settings
from kaiku.store import atomic, digest, tables, whole
from kaiku.store.clips import WorkspaceClips
from kaiku.store.items import Counts
from kaiku.store.packs import read_packs
from kaiku.store.protos import Sentence, clean_text


def program(args: argparse.Namespace) -> Counts:
    """Evaluate one run."""
    settings = job.read_settings(args.settings)
    own = settings.runs[args.run]
    clips = WorkspaceClips(settings)
    heard = are_heard(clips, args.selection)

    def build(outputs: Mapping[str, Path]) -> None:
        import torch

        from kaiku.metrics.evaluation import evaluate
        from kaiku.synthesis import read_samples

        devices.claim(settings.device, codec_device(settings.codecs[own.codec]))
        family, codec = load_family(own), load_codec(settings.codecs[own.codec], args.codec)
        model = family.load_base(args.model, torch.float32).eval().to(devices.torch_device(settings.device))
        samples, _ = read_samples(args.samples)
        train, val = read_packs(args.train), read_packs(args.val)
        recorded = recordings(clips, args.selection) if heard else None
        found = evaluate(family, model, codec, train, val, samples, own.samples, recordings=recorded)
        atomic.write_json(outputs["metrics"], found)

    return result(settings, args).make(build)


def result(settings: Settings, args: argparse.Namespace) -> whole.Result:
    """What is to be made, and its key."""
    inputs = {
        "model": digest.of_tree(args.model),
        "codec": digest.of_tree(args.codec),
        "samples": digest.of_tree(args.samples),
        "packs": digest.of_value([digest.of_file(path) for path in (*args.train, *args.val)]),
        "compared with": "recordings" if are_heard(WorkspaceClips(settings), args.selection) else "resyntheses",
    }
    return whole.Result(args.carry, stages.evaluate(settings, args.run, inputs).item(), {"metrics": args.out})


def are_heard(clips: WorkspaceClips, selections: Sequence[Path]) -> bool:
    """Whether this machine holds the recordings, and not their tokens only."""
    return all(clips.are_here(path.parent.name, path.stem) for path in selections)


def recordings(clips: WorkspaceClips, selections: Sequence[Path]) -> Callable[[Sentence], tuple[np.ndarray, int]]:
    """A look-up of sentences as they were recorded, by speaker and text as packs hold them."""
    places = {}
    for path in selections:
        frame = tables.selection(path)
        for row in frame[frame["kept"]].itertuples():
            places[row.speaker, clean_text(row.text)] = path.parent.name, path.stem, row.clip

    def recorded(sentence: Sentence) -> tuple[np.ndarray, int]:
        audio = clips.audio(*places[sentence.speaker, sentence.text])
        return audio.samples, audio.sample_rate

    return recorded


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    for name in ("--train", "--val", "--selection"):
        made.add_argument(name, type=Path, nargs="+", required=True)
    for name in ("--model", "--codec", "--samples", "--out", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
