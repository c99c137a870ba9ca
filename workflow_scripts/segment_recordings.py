"""Cut a shard's recordings into clips at their pauses; recordings that are clips already pass through.

python -m workflow_scripts.segment_recordings --corpus otso --manifest data/manifests/otso/000.audio.tsv \
    --rows data/segments/otso/000.parquet --audio data/segments/otso/000.tar --carry work/carry/segment/otso/000
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kaiku import job, stages
from kaiku.audio import faults
from kaiku.audio.notch import Notch
from kaiku.audio.segmentation import Segmentation, SegmentSettings
from kaiku.errors import KaikuError
from kaiku.settings import Settings
from kaiku.store import artefacts, digest, items, manifests
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.store.manifests import AudioRow
from kaiku.store.spool import Spool
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Segment one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    counts = items.run(*shard(settings, args), label="segment_recordings", max_failed=max_failed)
    manifests.keep(args.manifest, args.carry)
    return counts


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's clips, its recordings, and how those are cut."""
    key = stages.segment(settings, args.corpus)
    mode = stages.segment_mode(settings, args.corpus)
    cutting = settings.corpora[args.corpus].segment.model_copy(update={"mode": mode})
    recordings = [
        Item(row.recording, key.item(row.digest), row, partial(label, row, mode))
        for row in manifests.read_audio(args.manifest)
    ]
    cut = partial(cut_recording, root=settings.corpus_root(args.corpus), settings=cutting, spool_folder=args.carry)
    artefact = artefacts.segments(args.rows, args.audio, args.carry, before.of(args.rows))
    return artefact, recordings, items.each(cut)


def cut_recording(row: AudioRow, root: Path, settings: SegmentSettings, spool_folder: Path) -> Outcome:
    """A recording's clips as rows and FLAC payloads."""
    path = root / row.path
    if _digest(path) != row.digest:
        raise KaikuError(f"{path} changed while the workflow ran", remedy="Run again; the new content is taken then.")
    cutting, spool, found, payloads = Segmentation(path, settings, Notch), Spool(spool_folder), [], []
    for clip in cutting:
        times = {"start_s": clip.start_s, "end_s": clip.end_s, "peak": clip.peak, "gain_db": clip.gain_db}
        raw = {"path": row.path, "digest": row.digest} if clip.flac is None else {"path": ""}
        found.append({**times, **raw, "treatment": cutting.treatment})
        payloads.append(None if clip.flac is None else spool.add(clip.flac))
    whole = {
        "recording_s": cutting.samples / cutting.sample_rate,
        "sample_rate": cutting.sample_rate,
        "channels": cutting.channels,
        **hum_of(cutting),
    }
    if not found:
        return Outcome([{**whole, "peak": cutting.peak}], status="empty")
    return Outcome([{**clip, **whole} for clip in found], payloads)


def _digest(path: Path) -> str:
    try:
        return digest.of_file(path)
    except OSError as error:
        raise (faults.unreadable(path, error) if path.is_file() else faults.missing(path)) from error


def hum_of(cutting: Segmentation) -> dict[str, Any]:
    """What was heard of the mains between speech; nulls where there was too little of that, or nobody listened."""
    if cutting.hum is None:
        return {}
    return {"hum_db": cutting.hum.score_db, "hum_hz": cutting.hum.mains_hz, "hum_harmonics": cutting.hum.named}


def label(row: AudioRow, mode: str, clip: dict[str, Any]) -> dict[str, Any]:
    """What a clip is called and whose it is: changes without the audio cost no new cut."""
    named: dict[str, Any] = {"recording": row.recording, "speaker": row.speaker, "language": row.language}
    if clip.get("path"):
        named["path"] = row.path
    if clip.get("start_s") is not None:
        times = f"@{round(clip['start_s'] * 1000):08d}-{round(clip['end_s'] * 1000):08d}"
        named["clip"] = row.recording + ("" if mode == "identity" else times)
    return named


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--corpus", required=True)
    for name in ("--manifest", "--rows", "--audio", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
