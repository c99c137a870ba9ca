"""Describe a shard's clips by what each comparison needs of them, so that comparing them reads no audio.

python -m workflow_scripts.describe_clips --corpus otso --segments data/segments/otso/000.parquet \
    --audio data/segments/otso/000.tar --rows data/descriptions/otso/000.parquet --carry work/carry/describe/otso/000
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kaiku import job, plugins, stages
from kaiku.audio.clips import ClipAudio
from kaiku.settings import Settings
from kaiku.store import artefacts, items
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Describe one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(*shard(settings, args), label="describe_clips", max_failed=max_failed)


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's descriptions, each comparison's of each clip, and how those are made."""
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    keys = {check: stages.describe(settings, check) for check in settings.checks_that_need("corpus")}
    clip_items = [
        Item(f"{row['clip']}:{check}", key.item(audio_key(row)), (row, check), partial(named, row))
        for row in clips
        for check, key in keys.items()
    ]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        modules = {check: plugins.find("checks", check) for check in keys}
        return clips.look(missing, lambda check, audio: describe(modules[check], audio, check))

    return artefacts.descriptions(args.rows, args.carry, before.of(args.rows)), clip_items, compute


def named(row: dict[str, Any], _: Any) -> dict[str, Any]:
    """Whose description it is: an edit of these makes none again."""
    return {name: row[name] for name in ("clip", "speaker")}


def describe(module: Any, audio: ClipAudio, check: str) -> Outcome:
    """What one comparison needs of one clip."""
    vector = module.describe(audio)
    return Outcome([{"check": check, "vector": None if vector is None else vector.tolist()}])


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--corpus", required=True)
    for name in ("--segments", "--audio", "--rows", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
