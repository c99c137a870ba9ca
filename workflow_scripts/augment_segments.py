"""Make a derived corpus' clips of a shard from those of its source: other speed, tempo, pitch, noise.

python -m workflow_scripts.augment_segments --corpus otso-slow --segments data/segments/otso/000.parquet \
    --audio data/segments/otso/000.tar --rows data/segments/otso-slow/000.parquet \
    --tar data/segments/otso-slow/000.tar --carry work/carry/augment/otso-slow/000
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kaiku import job, stages
from kaiku.audio.flac import encode_flac
from kaiku.augmentation.follow import derived_clip
from kaiku.augmentation.noises import drawn_noise, excerpt
from kaiku.augmentation.settings import DerivedSettings
from kaiku.augmentation.sound import augment, derived_length, described
from kaiku.loading import noise_digests
from kaiku.settings import Settings
from kaiku.store import artefacts, items
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Make one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(*shard(settings, args), label="augment_segments", max_failed=max_failed)


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's derived clips, the clips they are made from, and how."""
    corpus = settings.corpora[args.corpus]
    own, key = corpus.derived, stages.augment(settings, args.corpus)
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    noises = noise_digests(Path(own.noise.folder).expanduser()) if own.noise and own.noise.folder else {}
    clip_items = []
    for row in clips:
        heard = audio_key(row)
        drawn = [drawn_noise(noises, heard)] if noises else []
        named = partial(label, row, args.corpus, corpus.speaker, own)
        clip_items.append(Item(derived_clip(row["clip"], args.corpus), key.item(heard, *drawn), (row, drawn), named))
    make = partial(derive, clips=clips, own=own, noises=noises)
    artefact = artefacts.segments(args.rows, args.tar, args.carry, before.of(args.rows))
    return artefact, clip_items, items.each(make)


def derive(work: tuple[dict[str, Any], list[str]], clips: ClipStore, own: DerivedSettings, noises: Mapping[str, Path]):
    """One derived clip as a row and FLAC."""
    row, drawn = work
    audio = clips.audio(row)
    recorded = partial(excerpt, noises[drawn[0]]) if drawn else None
    samples = augment(audio.samples, audio.sample_rate, own, audio_key(row), recorded)
    peak = float(np.abs(samples).max())
    gain_db = float(-np.ceil(2000 * np.log10(peak)) / 100) if peak > 1 else 0.0
    flac = encode_flac(samples * np.float32(10 ** (gain_db / 20)), audio.sample_rate)
    about = {"sample_rate": audio.sample_rate, "peak": peak, "gain_db": gain_db, "treatment": described(own)}
    return Outcome([{**about, "path": ""}], [flac])


def label(source: dict[str, Any], corpus: str, speaker: str, own: DerivedSettings, row: dict[str, Any]):
    """What a derived clip is called and where it lies: its source's place, as long as that came to be."""
    factor, rate = own.speed * own.tempo, source["sample_rate"]
    samples = derived_length(round((source["end_s"] - source["start_s"]) * rate), own)
    start_s = source["start_s"] / factor
    return {
        "clip": derived_clip(source["clip"], corpus),
        "recording": source["recording"],
        "start_s": start_s,
        "end_s": start_s + samples / rate,
        "recording_s": source["recording_s"] / factor,
        "channels": source["channels"],
        "speaker": speaker or source["speaker"],
        "language": source["language"],
    }


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--corpus", required=True)
    made.add_argument("--segments", type=Path, required=True, help="of the source")
    made.add_argument("--audio", type=Path, required=True, help="of the source")
    for name in ("--rows", "--tar", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
