"""What it costs to review a large dataset: start, memory, each order of the list, one page of it, one decision.

python benchmarks/reviewing.py --clips 100000 --shards 64

The tables are made up, of the sizes that a corpus of short clips with ten measures has; there is no audio. Beside the
start stands a bare read of the same tables into frames.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kaiku import settings as configuration
from kaiku.review.index import Index
from kaiku.review.orders import ORDERS
from kaiku.review.server import Review
from kaiku.store import atomic, manifests, rows, tables
from kaiku.store.artefacts import MEASURES, SEGMENTS, SELECTION, TRANSCRIPTS
from kaiku.store.manifests import AudioRow
from kaiku.store.shards import shard_name

CORPUS = DATASET = "large"
WORDS = ["aalto", "kaiku", "metsä", "lumi", "järvi", "tuuli", "saari", "kivi", "polku", "ranta", "sade", "valo"]
CHECKS = {"duration": {}, "level": {}, "clipping": {}, "speech": {}, "hum": {}}
MEASURED = ("clipped_share", "dc", "hum_db", "hum_hz", "peak_db", "rms_db", "silence_after_ms", "silence_before_ms")
MEASURED += ("speech_s", "speech_share")
KINDS = ("segments", "transcripts/given", "measures", f"selection/{DATASET}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=64)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        settings = write_tables(args.clips, args.shards)
        before = memory_mb()
        bare_s, _ = cost(read_all)
        start_s, review = cost(lambda: Review(Index(settings, DATASET), "nobody"))
        print(
            f"start            {start_s:6.2f} s CPU, {start_s / bare_s:.1f} x a bare read of the tables, {bare_s:.2f} s"
        )
        print(f"memory           {memory_mb():6.0f} MB at most, {before:.0f} MB before anything was read")
        for order in [*ORDERS, "peak_db:down"]:
            first_s, _ = cost(lambda order=order: review.clips(order=order, anew="1"))
            page_s, page = cost(lambda order=order: review.clips(order=order, offset=str(args.clips // 2)))
            print(f"{order:16} {first_s:6.2f} s CPU made anew, {page_s * 1000:.0f} ms a page of {len(page['clips'])}")
        found_s, _ = cost(lambda: review.clips(order="corpus", find="metsä lumi", anew="1"))
        print(f"found by text    {found_s:6.2f} s CPU")
        frame = review.index.frame
        clips = [frame["clip"].iloc[i] for i in range(0, len(frame), max(1, len(frame) // 100))]
        decided_s, _ = cost(lambda: [review.index.decide(CORPUS, clip, "keep") for clip in clips])
        print(f"a decision       {decided_s / len(clips) * 1000:6.1f} ms CPU, {len(clips)} of them")
        lines = len(json.dumps(review.clips(order="corpus")).encode())
        print(f"a page of JSON   {lines / 1000:6.0f} kB")


def write_tables(clips: int, shards: int) -> configuration.Settings:
    """Everything that the page reads, shard by shard."""
    rng = np.random.default_rng(0)
    config = {
        "system": "large",
        "corpora": {CORPUS: {"path": "raw", "layout": "recordings", "language": "fi", "licence": "CC0-1.0"}},
        "checks": CHECKS,
        "datasets": {DATASET: {"corpora": [CORPUS], "select": {"peak_db": {"max": -1}, "duration_s": [1, 12]}}},
    }
    atomic.write_json(Path("data/manifests") / CORPUS / "corpus.json", {"format": 1, "shards": shards})
    for number in range(shards):
        shard = shard_name(number)
        write_shard(shard, len(range(number, clips, shards)), rng)
    return configuration.load(config)


def write_shard(shard: str, count: int, rng: np.random.Generator) -> None:
    recording = f"recording-{shard}"
    start_s = np.arange(count) * 6.0
    length_s = rng.uniform(0.8, 13, count).round(3)
    segments, texts, measures, selection = [], [], [], []
    for start, length in zip(start_s.tolist(), length_s.tolist()):
        clip = f"{recording}@{round(start * 1000):08d}-{round((start + length) * 1000):08d}"
        own = {"item": clip, "key": "k" * 32, "status": "ok", "clip": clip}
        text = " ".join(rng.choice(WORDS, 9))
        who = {"recording": recording, "speaker": "aino", "language": "fi", "recording_s": count * 6.0}
        segments.append({**own, **who, "start_s": start, "end_s": start + length})
        texts.append({**own, "text_raw": text, "text": text, "confidence": float(rng.uniform()), "language": "fi"})
        values = rng.normal(size=len(MEASURED)).tolist()
        measures += [{**own, "check": "level", "measure": m, "value": v} for m, v in zip(MEASURED, values)]
        kept = bool(rng.uniform() < 0.8)
        reason = "" if kept else str(rng.choice(["peak_db_high", "duration_s_low", "no_text"]))
        chosen = {"clip": clip, **who, "duration_s": length, "kept": kept, "reason": reason, "text": text}
        selection.append({**chosen, "split": "train" if kept else "", "review": ""})
    for kind, of, found in zip(KINDS, SCHEMAS, (segments, texts, measures, selection)):
        rows.write(Path("data") / kind / CORPUS / f"{shard}.parquet", rows.table(found, of))
    row = AudioRow(recording, f"{recording}.flac", "d" * 32, 1, "aino", "fi", {})
    manifests.write_audio(manifests.audio_path(Path("data/manifests") / CORPUS, shard), [row])


SCHEMAS = (SEGMENTS, TRANSCRIPTS, MEASURES, SELECTION)


def read_all() -> None:
    for kind, read in zip(KINDS, (tables.segments, tables.transcripts, tables.measures, tables.selection)):
        for path in sorted((Path("data") / kind / CORPUS).glob("*.parquet")):
            read(path)


def cost(work: Callable):
    """CPU seconds, and what it returned."""
    begun = time.process_time()
    found = work()
    return time.process_time() - begun, found


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
