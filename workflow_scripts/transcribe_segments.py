"""Give each clip of a shard its text: the one that came with the recording, or what a recogniser hears.

python -m workflow_scripts.transcribe_segments --asr given --corpus otso --segments data/segments/otso/000.parquet \
    --audio data/segments/otso/000.tar --texts data/manifests/otso/000.text.tsv \
    --rows data/transcripts/given/otso/000.parquet --carry work/carry/transcribe/given/otso/000
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from kaiku import devices, job, plugins, stages
from kaiku.asr import SAMPLE_RATE, Spoken, Transcript
from kaiku.audio.resample import resample
from kaiku.loading import asr_device, weights_digest
from kaiku.machine import workers
from kaiku.sections import AsrSettings
from kaiku.settings import Settings, plugin_settings
from kaiku.store import artefacts, digest, items, manifests
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.items import Artefact, Compute, Counts, Item, Outcome
from kaiku.text.language import as_tagged, primary
from kaiku.text.normalise import normalise
from kaiku.text.overlap import Span
from kaiku.workspace import before


def program(args: argparse.Namespace) -> Counts:
    """Transcribe one shard."""
    settings = job.read_settings(args.settings)
    max_failed = settings.corpora[args.corpus].max_failed
    counts = items.run(*shard(settings, args), label="transcribe_segments", max_failed=max_failed)
    manifests.keep(args.texts, args.carry)
    return counts


def shard(settings: Settings, args: argparse.Namespace) -> tuple[Artefact, list[Item], Compute]:
    """The shard's transcripts, its clips, and how those are transcribed."""
    own = settings.asr[args.asr]
    module = plugins.find("asr", own.kind)
    folder = settings.base_root(own.model) if own.model else None
    clips = ClipStore(args.segments, args.audio, settings.corpus_root(args.corpus))
    texts = read_texts(args.texts) if module.NEEDS == "text" else {}
    key = stages.transcribe(settings, args.asr, weights_digest(folder) if folder else "")
    clip_items = []
    for row in clips:
        clip = spoken(row, texts.get(row["recording"], ()), told(module.NEEDS, own, row["language"]))
        heard = digest.of_value(asdict(clip)["spans"]) if module.NEEDS == "text" else audio_key(row)
        times = [repr(row[name]) for name in ("start_s", "end_s", "recording_s")] if module.NEEDS == "text" else []
        item_key = key.item(heard, clip.language, *times)
        clip_items.append(Item(row["clip"], item_key, (row, clip), partial(label, row)))

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        transcriber = load(settings, args.asr, folder)
        hear = partial(transcribe, transcriber, module.NEEDS, clips)
        made = batches(missing, getattr(transcriber, "batch_size", 1))
        for batch, found in side_by_side(hear, made, getattr(transcriber, "workers", 1)):
            yield from zip(batch, found, strict=True)

    return artefacts.transcripts(args.rows, args.carry, before.of(args.rows)), clip_items, compute


def told(needs: str, own: AsrSettings, tag: str) -> str:
    """What a transcriber is told of a clip's language.

    One that hears is told no region, which changes the spelling alone, and where it is set to a language, no tag at
    all: then no clip is heard again for a tag that was mended.
    """
    return tag if needs == "text" else own.options.get("language") or primary(tag)


def label(clip: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a transcript that follow from the clip's name and the raw text."""
    raw = row.get("text_raw")
    text = None if raw is None else normalise(raw, as_tagged(row["language"], clip["language"]))
    return {"clip": clip["clip"], "text": text}


def load(settings: Settings, asr: str, folder: Path | None) -> Any:
    """The transcriber with its model, on the GPUs that this process claims, with as many workers as fit."""
    own = settings.asr[asr]
    options = plugin_settings("asr", own.kind, own.options, f"asr.{asr}.options")
    claimed = devices.claim(asr_device(own), count=getattr(options, "gpus", 1))
    if hasattr(options, "workers"):
        found = {"workers": workers.chosen(options, folder, claimed), "gpus": max(1, len(claimed))}
        options = options.model_copy(update=found)
    return plugins.find("asr", own.kind).load(options, folder)


def batches(missing: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The items in groups of about one length, the longest first: what does not fit into memory shows at once."""
    if size > 1:
        missing = sorted(missing, key=lambda item: (item.work[1].start_s - item.work[1].end_s, item.id))
    for first in range(0, len(missing), size):
        yield list(missing[first : first + size])


def side_by_side(
    hear: Callable[[list[Item]], list[Outcome]], batches: Iterable[list[Item]], workers: int
) -> Iterator[tuple[list[Item], list[Outcome]]]:
    """Each batch with its outcomes as soon as it is heard, so many in work at once and one more that waits for them.

    A fault is raised once the batches in work beside it are heard; none that waits is begun after it.
    """
    if workers == 1:
        yield from ((batch, hear(batch)) for batch in batches)
        return
    faults: list[Exception] = []

    def unless_broken(batch: list[Item]) -> list[Outcome]:
        """Nothing for a batch that breaks, and for one that begins after another broke."""
        if faults:
            return []
        try:
            return hear(batch)
        except Exception as fault:
            faults.append(fault)
            return []

    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[list[Outcome]], list[Item]] = {}
        for batch in batches:
            if faults:
                break
            running[pool.submit(unless_broken, batch)] = batch
            if len(running) > workers:
                yield from _heard(running)
        while running:
            yield from _heard(running)
    if faults:
        raise faults[0]


def _heard(running: dict[Future[list[Outcome]], list[Item]]) -> Iterator[tuple[list[Item], list[Outcome]]]:
    for done in wait(running, return_when=FIRST_COMPLETED).done:
        batch, outcomes = running.pop(done), done.result()
        if outcomes:
            yield batch, outcomes


def transcribe(transcriber: Any, needs: str, clips: ClipStore, batch: Sequence[Item]) -> list[Outcome]:
    """The transcripts of some clips as rows. One that breaks takes no other with it: then each is heard by itself."""
    ready = [items.attempt(lambda work: audible(clips, *work) if needs == "audio" else work[1], i.work) for i in batch]
    sound = [clip for clip in ready if isinstance(clip, Spoken)]
    found = items.attempt(transcriber.transcribe_batch, sound) if len(sound) > 1 else None
    said = iter(found if isinstance(found, list) else [items.attempt(transcriber.transcribe, clip) for clip in sound])
    return [_row(next(said)) if isinstance(clip, Spoken) else clip for clip in ready]


def _row(said: Transcript | Outcome) -> Outcome:
    return Outcome([asdict(said)]) if isinstance(said, Transcript) else said


def audible(clips: ClipStore, row: dict[str, Any], clip: Spoken) -> Spoken:
    """A clip with its samples."""
    audio = clips.audio(row)
    return replace(clip, audio=resample(audio.samples, audio.sample_rate, SAMPLE_RATE))


def spoken(row: dict[str, Any], spans: Sequence[Span], language: str) -> Spoken:
    """A clip with the given texts that touch it."""
    near = tuple(s for s in spans if s.start_s is None or (s.start_s < row["end_s"] and s.end_s > row["start_s"]))
    return Spoken(row["start_s"], row["end_s"], row["recording_s"], language, near)


def read_texts(path: Path) -> dict[str, list[Span]]:
    """Given texts by recording."""
    texts: dict[str, list[Span]] = defaultdict(list)
    for row in manifests.read_text(path):
        texts[row.recording].append(Span(row.start_s, row.end_s, row.text))
    return texts


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--asr", required=True)
    made.add_argument("--corpus", required=True)
    for name in ("--segments", "--audio", "--texts", "--rows", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
