"""Measure a shard's clips: every check that has not seen a clip yet, all in one decoding of it.

python -m workflow_scripts.measure_segments --corpus otso --segments data/segments/otso/000.parquet \
    --audio data/segments/otso/000.tar --rows data/measures/otso/000.parquet --carry work/carry/measure/otso/000
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kaiku import devices, job, stages
from kaiku.audio.clips import ClipAudio
from kaiku.checks import Measures
from kaiku.loading import check_device, check_digests, load_check
from kaiku.settings import Settings
from kaiku.store import artefacts, items
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Measure one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(*shard(settings, args), label="measure_segments", max_failed=max_failed)


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's measures, each check of each clip, and how those are measured."""
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    keys = {
        check: stages.measure(settings, check, check_digests(settings, check))
        for check in settings.checks_that_need("audio")
    }
    clip_items = [
        Item(f"{row['clip']}:{check}", key.item(audio_key(row)), (row, check), lambda _, row=row: {"clip": row["clip"]})
        for row in clips
        for check, key in keys.items()
    ]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        needed = sorted({item.work[1] for item in missing})
        devices.claim(*(check_device(settings, check) for check in needed))
        checks = {check: load_check(settings, check) for check in needed}
        return clips.look(missing, lambda check, audio: measure(checks[check], audio, check))

    return artefacts.measures(args.rows, args.carry, before.of(args.rows)), clip_items, compute


def measure(of: Callable[[ClipAudio], Measures], audio: ClipAudio, check: str) -> Outcome:
    """One check of one clip: a row per measure."""
    values = of(audio)
    return Outcome([{"check": check, "measure": name, "value": value} for name, value in sorted(values.items())])


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
