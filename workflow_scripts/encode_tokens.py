"""Encode a shard's clips to codec tokens, one clip per call, every clip that did not fail.

Tokens that came with the corpus (`corpora.X.tokens`) are adopted instead where they have the codec's form.

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
from kaiku.store import artefacts, items, manifests
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.given_tokens import Given
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Encode one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    counts = items.run(*shard(settings, args), label="encode_tokens", max_failed=max_failed)
    for manifest in args.given:
        manifests.keep(manifest, args.carry)
    return counts


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's tokens, its clips, and how those are encoded, or adopted where they came with the corpus."""
    own, root = settings.codecs[args.codec], settings.corpus_root(args.corpus)
    identity = codec_identity(own, args.weights)
    clips = ClipStore(args.segments, args.audio, root)
    key, adopt = stages.encode(settings, args.codec, identity.digest), stages.adopt(settings, args.corpus)
    given = Given(settings.corpora[args.corpus].tokens, args.given, identity.geometry, root)

    def item(row: dict[str, Any]) -> Item:
        taken = given.of(row)
        own_key = adopt.item(audio_key(row), taken.digest) if taken else key.item(audio_key(row))
        return Item(row["clip"], own_key, row, lambda _: {"clip": row["clip"]})

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        adopted = [item for item in missing if given.of(item.work)]
        rest = [item for item in missing if not given.of(item.work)]
        sample = [item.work for item in adopted[: given.settings.verify]] if adopted else []
        if args.given:
            given.tell(adopted, rest)
        if rest or sample:
            devices.claim(codec_device(own))
            codec = load_codec(own, args.weights)
            given.verify(sample, lambda row: encode(codec, clips, row).payloads[0])
        yield from items.each(lambda row: Outcome([{}], [given.codes(row)]))(adopted)
        if rest:
            yield from items.each(lambda row: encode(codec, clips, row))(rest)

    artefact = artefacts.tokens(args.rows, args.codes, identity.codebooks, args.carry, before.of(args.rows))
    return artefact, [item(row) for row in clips], compute


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
    made.add_argument("--given", type=Path, nargs="*", default=[], help="manifest of tokens that came with the corpus")
    for name in ("--weights", "--segments", "--audio", "--codes", "--rows", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
