"""Encode a shard's clips to codec tokens, one clip per call, every clip that did not fail.

python -m workflow_scripts.encode_tokens --codec toy --corpus otso --weights models/codecs/toy \
    --segments data/segments/otso/000.parquet --audio data/segments/otso/000.tar \
    --codes data/tokens/toy/otso/000.npy --rows data/tokens/toy/otso/000.parquet --carry work/carry/encode/toy/otso/000
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaiku import devices, job, stages
from kaiku.audio.resample import resample_for
from kaiku.codecs import Codec
from kaiku.loading import codec_device, codec_identity, load_codec
from kaiku.settings import Settings
from kaiku.store import artefacts, items
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Encode one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(*shard(settings, args), label="encode_tokens", max_failed=max_failed)


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's tokens, its clips, and how those are encoded."""
    own = settings.codecs[args.codec]
    identity = codec_identity(own, args.weights)
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    key = stages.encode(settings, args.codec, identity.digest)
    clip_items = [
        Item(row["clip"], key.item(audio_key(row)), row, lambda _, row=row: {"clip": row["clip"]}) for row in clips
    ]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        devices.claim(codec_device(own))
        codec = load_codec(own, args.weights)
        yield from items.each(lambda row: encode(codec, clips, row))(missing)

    artefact = artefacts.tokens(args.rows, args.codes, identity.codebooks, args.carry, before.of(args.rows))
    return artefact, clip_items, compute


def encode(codec: Codec, clips: ClipStore, row: dict[str, Any]) -> Outcome:
    """One clip's codes, uint16 [frames, codebooks], as payload."""
    audio = clips.audio(row)
    codes = codec.encode(resample_for(codec, audio.samples, audio.sample_rate))
    return Outcome([{}], [np.ascontiguousarray(codes, dtype="<u2").tobytes()])


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--codec", required=True)
    made.add_argument("--corpus", required=True)
    for name in ("--weights", "--segments", "--audio", "--codes", "--rows", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
