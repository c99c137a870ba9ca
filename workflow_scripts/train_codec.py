"""Fit a codec to the training clips of a dataset; held-out clips are measured, never fitted on.

python -m workflow_scripts.train_codec --codec toy --selection data/selection/both/*/*.parquet --out models/codecs/toy \
    --carry work/carry/train_codec/toy
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from kaiku import devices, job, plugins, stages
from kaiku.audio.resample import resample
from kaiku.drawing import HELD_OUT_CLIPS, Clip, drawn
from kaiku.loading import codec_device
from kaiku.planning.refusal import refusal
from kaiku.settings import Settings, plugin_settings
from kaiku.store import atomic, digest, tables, whole
from kaiku.store.clips import WorkspaceClips
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Fit one codec."""
    settings = job.read_settings(args.settings)
    own = settings.codecs[args.codec]
    stage = stages.fit_codec(settings, args.codec)
    options = plugin_settings("codecs", own.kind, own.options, f"codecs.{args.codec}.options")

    def build(outputs: Mapping[str, Path]) -> None:
        train = list(audio(settings, args.selection, "train", options.fit_s, options.sample_rate))
        if not train:
            raise refusal(settings, own.dataset, "train")
        val = list(audio(settings, args.selection, "val", options.fit_s, options.sample_rate))[:HELD_OUT_CLIPS]
        devices.claim(codec_device(own))
        plugins.find("codecs", own.kind).fit(options, train, outputs["codec"], held_out=val)
        atomic.write_text(outputs["codec"] / "key.json", stage.text())
        _record_speakers(outputs["codec"] / "metrics.json", speakers(args.selection, options.fit_s))

    return result(settings, args).make(build)


def result(settings: Settings, args: argparse.Namespace) -> whole.Result:
    """What is to be made, and its key."""
    inputs = _inputs(args.selection, settings.codecs[args.codec].follow_data)
    return whole.Result(args.carry, stages.fit_codec(settings, args.codec).item(*inputs), {"codec": args.out})


def audio(
    settings: Settings, selections: Sequence[Path], split: str, most_s: float, sample_rate: int
) -> Iterator[np.ndarray]:
    """Clips of a split at the codec's rate, float32 [samples], as many as it takes."""
    clips = WorkspaceClips(settings)
    for _, corpus, shard, name in drawn(_kept(selections, split), most_s):
        clip = clips.audio(corpus, shard, name)
        yield resample(clip.samples, clip.sample_rate, sample_rate)


def speakers(selections: Sequence[Path], most_s: float) -> dict[str, int]:
    """Clips by speaker that a codec is fitted to: who takes a consent back must be able to ask."""
    taken = {(corpus, shard, clip) for _, corpus, shard, clip in drawn(_kept(selections, "train"), most_s)}
    counts: Counter[str] = Counter()
    for path in selections:
        frame = tables.selection(path)
        mine = [(path.parent.name, path.stem, clip) in taken for clip in frame["clip"]]
        counts.update(frame.loc[mine, "speaker"].fillna(""))
    return dict(sorted(counts.items()))


def _record_speakers(metrics: Path, found: dict[str, int]) -> None:
    atomic.write_json(metrics, {**json.loads(metrics.read_text()), "speakers": found})


def _kept(selections: Sequence[Path], split: str) -> Iterator[Clip]:
    for path in selections:
        frame = tables.selection(path)
        for row in frame[frame["kept"] & (frame["split"] == split)].itertuples():
            yield row.duration_s, path.parent.name, path.stem, row.clip


def _inputs(selections: Sequence[Path], follow_data: bool) -> list[str]:
    """What of the data enters the key: all of it, or nothing, since a codec that is there is kept as the data grow."""
    if not follow_data:
        return []
    segments = [Path(f"data/segments/{path.parent.name}/{path.name}") for path in selections]
    return [digest.of_file(path) for path in (*selections, *segments)]


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--codec", required=True)
    made.add_argument("--selection", type=Path, nargs="*", required=True)
    for name in ("--out", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
