"""Measure a shard's texts: every check of texts that has not seen a clip's text yet.

python -m workflow_scripts.measure_texts --asr given --corpus otso --segments data/segments/otso/000.parquet \
    --transcripts data/transcripts/given/otso/000.parquet --measures data/measures/otso/000.parquet \
    --rows data/text_measures/given/otso/000.parquet --carry work/carry/measure_texts/given/otso/000
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kaiku import devices, job, stages
from kaiku.audio.resample import resample
from kaiku.loading import check_device, check_digests, examine_check, load_check
from kaiku.settings import Settings
from kaiku.store import artefacts, items, rows, tables
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.text.spoken import SAMPLE_RATE, SpokenText
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Measure one shard's texts."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    return items.run(*shard(settings, args), label="measure_texts", max_failed=max_failed)


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's measures, each check of each clip's text, and how those are measured."""
    checks = stages.text_checks(settings, args.asr)
    keys = {check: stages.measure_text(settings, check, check_digests(settings, check)) for check in checks}
    clips = [row for row in rows.read(args.segments, artefacts.SEGMENTS).to_pylist() if row["status"] == rows.STATUS_OK]
    texts = spoken_texts(settings, args, clips, checks)
    clip_items = [
        Item(
            f"{row['clip']}:{check}",
            key.item(*inputs(texts[check, row["clip"]], row, stages.uses(check))),
            (row, check),
            lambda _, row=row: {"clip": row["clip"]},
        )
        for row in clips
        for check, key in keys.items()
    ]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        needed = sorted({item.work[1] for item in missing})
        for check in needed:
            examine_check(settings, check, languages(settings, args.asr))
        devices.claim(*(check_device(settings, check) for check in needed))
        measurers = {check: load_check(settings, check) for check in needed}
        audio = ClipStore(args.segments, args.audio[0], settings.corpus_root(args.corpus)) if args.audio else None

        def measured(work: tuple[dict[str, Any], str]) -> Outcome:
            row, check = work
            text = texts[check, row["clip"]]
            if "audio" in stages.uses(check):
                text = replace(text, audio=heard(audio, row))
            values = measurers[check](text)
            return Outcome(
                [{"check": check, "measure": name, "value": value} for name, value in sorted(values.items())]
            )

        yield from items.each(measured)(missing)

    return artefacts.measures(args.rows, args.carry, before.of(args.rows)), clip_items, compute


def spoken_texts(
    settings: Settings, args: argparse.Namespace, clips: list[dict[str, Any]], checks: list[str]
) -> dict[tuple[str, str], SpokenText]:
    """The texts of the shard's clips as each check takes them, all but their audio; by check and clip."""
    said = by_clip(args.transcripts)
    names = stages.second_asrs(settings, args.asr)
    seconds = {name: by_clip(path) for name, path in zip(names, args.seconds, strict=True)}
    speech_s: dict[str, float | None] = {}
    if args.measures:
        found = tables.measures(*args.measures)
        found = found[(found["measure"] == "speech_s") & found["value"].notna()]
        speech_s = dict(zip(found["clip"], found["value"].astype(float)))
    texts = {}
    for row in clips:
        name = row["clip"]
        own = said[name]
        text = SpokenText(
            own["text"] or "",
            row["language"] if row["language"] not in ("", "und") else own["language"] or "und",
            own["text_raw"] or "",
            own["confidence"],
            speech_s.get(name),
        )
        for check in checks:
            second = stages.second_asr(settings, check)
            compared = second and own["status"] != rows.STATUS_FAILED
            texts[check, name] = replace(text, second=seconds[second][name]["text"]) if compared else text
    return texts


def languages(settings: Settings, asr: str) -> set[str]:
    """The languages of the corpora whose texts a transcriber gives, as far as the configuration says."""
    named = {corpus for own in settings.datasets.values() if own.asr == asr for corpus in own.corpora}
    return {settings.corpora[corpus].language for corpus in named} - {"", "und"}


def by_clip(path: Path) -> dict[str, dict[str, Any]]:
    """A shard's transcripts by clip."""
    return {row["clip"]: row for row in rows.read(path, artefacts.TRANSCRIPTS).to_pylist()}


def inputs(text: SpokenText, row: dict[str, Any], used: Sequence[str]) -> list[str]:
    """What a check's result depends on: the text, its language, and what the check uses beside."""
    beside = [audio_key(row) if name == "audio" else repr(getattr(text, name)) for name in used]
    return [text.text, text.language, *beside]


def heard(clips: ClipStore, row: dict[str, Any]) -> Any:
    """A clip's samples at SAMPLE_RATE."""
    audio = clips.audio(row)
    return resample(audio.samples, audio.sample_rate, SAMPLE_RATE)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--asr", required=True)
    made.add_argument("--corpus", required=True)
    for name in ("--segments", "--transcripts", "--rows", "--carry"):
        made.add_argument(name, type=Path, required=True)
    made.add_argument("--seconds", type=Path, nargs="*", default=[], help="transcripts that these are compared with")
    made.add_argument("--audio", type=Path, nargs="*", default=[], help="the clips' tar, where a check listens")
    made.add_argument("--measures", type=Path, nargs="*", default=[], help="of the audio, where a check needs some")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
