"""A workspace of short clips, cut, transcribed, measured and selected by the programs themselves, in one process."""

import json
from pathlib import Path

import numpy as np
import soundfile

from kaiku import settings as configuration
from kaiku.review import files
from kaiku.settings import Settings
from kaiku.store import rows, tables
from kaiku.store.artefacts import TRANSCRIPTS
from kaiku.workspace.start import scan_corpus
from workflow_scripts import measure_segments, segment_recordings, select_segments, transcribe_segments

CORPUS, DATASET, SHARD = "voices", "all", "000"
TEXTS = {
    "c0-fi": "Metsuri maalasi oudon kellon metsässä",
    "c1-te": "నమస్కారం, మీరు ఎలా ఉన్నారు? శ్రీ క్షేత్రం",
    "c2-hi": "नमस्ते, आप कैसे हैं? विद्यार्थी",
    "c3-loud": "tämä on liian kova",
    "c4-long": "tämä on pidempi kuin muut",
    "c5-none": "",
}
CONFIG = {
    "system": "reviewed",
    "corpora": {
        CORPUS: {"path": "raw", "layout": "wav_lab", "language": "fi", "speaker": "aino", "licence": "CC0-1.0"}
    },
    "checks": {"duration": {}, "level": {}},
    "datasets": {DATASET: {"corpora": [CORPUS], "split": {"by": "clip", "val": 0}, "select": {"peak_db": {"max": -3}}}},
}


def settings() -> Settings:
    """The configuration, written as the workflow resolves it."""
    found = configuration.load(CONFIG)
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps(found.model_dump(mode="json")))
    return found


def speak(name: str, text: str) -> None:
    """A tone of 0.6 s (1.4 s where it is long), loud or not, and its text."""
    Path("raw").mkdir(exist_ok=True)
    samples = np.sin(np.arange(22_400 if "long" in name else 9_600) * (0.05 + 0.01 * int(name[1])))
    soundfile.write(f"raw/{name}.wav", (0.9 if "loud" in name else 0.3) * samples, 16_000, subtype="PCM_16")
    Path(f"raw/{name}.lab").write_text(text + "\n")


def build() -> None:
    """The corpus and everything made of it; another transcriber heard other words in the first clip."""
    for name, text in TEXTS.items():
        speak(name, text)
    run(settings())
    heard = [
        {"item": clip, "key": "k", "status": "ok", "clip": clip, "text": text, "text_raw": text, "confidence": 0.5}
        for clip, text in TEXTS.items()
    ]
    heard[0]["text"] = "Metsuri maalasi oudon pellon metsässä"
    rows.write(Path(f"data/transcripts/heard/{CORPUS}/{SHARD}.parquet"), rows.table(heard, TRANSCRIPTS))


def run(settings: Settings) -> None:
    """All stages of items, and the selection with what was decided."""
    scan_corpus(settings, CORPUS, shards=1)
    files.settle(CORPUS)
    manifest = f"data/manifests/{CORPUS}/{SHARD}.audio.tsv"
    shard = f"{CORPUS}/{SHARD}"
    segments = ["--segments", f"data/segments/{shard}.parquet"]
    audio = ["--audio", f"data/segments/{shard}.tar"]
    measures, transcripts = f"data/measures/{shard}.parquet", f"data/transcripts/given/{shard}.parquet"
    decisions = files.path_of(CORPUS, SHARD)
    reviewed = ["--decisions", str(decisions), "--manifest", manifest] if decisions.exists() else []
    of = ["--corpus", CORPUS, *segments, *audio]
    texts = ["--asr", "given", "--texts", f"data/manifests/{shard}.text.tsv"]
    measured = ["--transcripts", transcripts, "--measures", measures, "--recordings", "6"]
    selected = f"data/selection/{DATASET}/{shard}.parquet"
    for program, rows_path, arguments in (
        (segment_recordings, segments[1], ["--corpus", CORPUS, "--manifest", manifest, *audio, *carry("segment")]),
        (transcribe_segments, transcripts, [*of, *texts, *carry("transcribe/given")]),
        (measure_segments, measures, [*of, *carry("measure")]),
        (select_segments, selected, ["--dataset", DATASET, "--corpus", CORPUS, *segments, *measured, *reviewed]),
    ):
        assert program.main([*arguments, "--rows", rows_path]) == 0, program.__name__


def carry(stage: str) -> list[str]:
    return ["--carry", f"work/carry/{stage}/{CORPUS}/{SHARD}"]


def selection():
    """The selection by clip."""
    return tables.selection(Path(f"data/selection/{DATASET}/{CORPUS}/{SHARD}.parquet")).set_index("clip")


def decided() -> list[tuple[str, str, str]]:
    """(recording, verdict, text) of all lines of the file, the first decided first."""
    found = files.read(files.path_of(CORPUS, SHARD))
    return [(d.recording, d.verdict, d.text) for d in sorted(found, key=lambda d: d.time)]
