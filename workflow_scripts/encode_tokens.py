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

from kaiku import job, stages
from kaiku.audio.resample import resample
from kaiku.codecs import Codec
from kaiku.loading import codec_identity, load_codec
from kaiku.store import artefacts, items
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Encode one shard."""
    settings = job.read_settings(args.settings)
    own = settings.codecs[args.codec]
    identity = codec_identity(own, args.weights)
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    key = stages.encode(settings, args.codec, identity.digest)
    shard = [
        Item(row["clip"], key.item(audio_key(row)), row, lambda _, row=row: {"clip": row["clip"]}) for row in clips
    ]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        codec = load_codec(own, args.weights)
        yield from items.each(lambda row: encode(codec, clips, row))(missing)

    artefact = artefacts.tokens(args.rows, args.codes, identity.codebooks, args.carry, before.of(args.rows))
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(artefact, shard, compute, label="encode_tokens", max_failed=max_failed)


def encode(codec: Codec, clips: ClipStore, row: dict[str, Any]) -> Outcome:
    """One clip's codes, uint16 [frames, codebooks], as payload."""
    audio = clips.audio(row)
    to_rate = getattr(codec, "resample", None)  # a codec may bring the resampler its codes were trained with
    if to_rate is not None:
        wav = to_rate(audio.samples, audio.sample_rate)
    else:
        wav = resample(audio.samples, audio.sample_rate, codec.sample_rate)
    codes = codec.encode(wav)
    return Outcome([{}], [np.ascontiguousarray(codes, dtype="<u2").tobytes()])


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--codec", required=True)
    parser.add_argument("--corpus", required=True)
    for name in ("--weights", "--segments", "--audio", "--codes", "--rows", "--carry"):
        parser.add_argument(name, type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
