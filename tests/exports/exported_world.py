"""A workspace whose dataset the programs themselves make, to be exported."""

import json
from pathlib import Path

import numpy as np
import soundfile

from kaiku import settings as configuration
from kaiku.workspace.start import scan_corpus
from workflow_scripts import export_dataset, measure_segments, segment_recordings, select_segments, transcribe_segments

RATE = 16_000


class World:
    """A folder of clips by corpus and what the programs make of it, all in the current folder."""

    def __init__(self):
        self.config = {
            "system": "exported",
            "corpora": {"aino": corpus("aino", "CC0-1.0")},
            "checks": {"duration": {}},
            "datasets": {"all": {"corpora": ["aino"], "split": {"val": ["*-val*"], "test": ["*-test*"]}}},
        }

    @property
    def settings(self):
        return configuration.load(self.config)

    def speak(self, name, text="sana", samples=None, rate=RATE, corpus="aino"):
        """A clip with its text; by default a tone of 0.5 s whose pitch its name decides."""
        if samples is None:
            samples = tone(200 + 7 * (sum(name.encode()) % 50), 0.5)
        path = Path("raw", corpus, f"{name}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="FLOAT" if np.abs(samples).max() > 1 else "PCM_16")
        path.with_suffix(".lab").write_text(text)

    def make(self):
        """Everything up to the selections, one shard a corpus."""
        Path("work").mkdir(exist_ok=True)
        Path("work/settings.json").write_text(json.dumps(self.settings.model_dump(mode="json")))
        for name in self.config["datasets"]["all"]["corpora"]:
            scan_corpus(self.settings, name, shards=1)
            place = f"{name}/000"
            clips = ["--segments", f"data/segments/{place}.parquet", "--audio", f"data/segments/{place}.tar"]
            rows, own = f"data/segments/{place}.parquet", ["--corpus", name, "--carry"]
            manifest = ["--manifest", f"data/manifests/{place}.audio.tsv", "--rows", rows, *clips[2:]]
            assert segment_recordings.main([*own, f"work/carry/segment/{place}", *manifest]) == 0
            texts = ["--asr", "given", "--texts", f"data/manifests/{place}.text.tsv"]
            rows = ["--rows", f"data/transcripts/given/{place}.parquet"]
            assert transcribe_segments.main([*own, f"work/carry/transcribe/given/{place}", *clips, *texts, *rows]) == 0
            rows = ["--rows", f"data/measures/{place}.parquet"]
            assert measure_segments.main([*own, f"work/carry/measure/{place}", *clips, *rows]) == 0
            tables = ["--transcripts", f"data/transcripts/given/{place}.parquet", "--measures", rows[1]]
            rows = ["--rows", f"data/selection/all/{place}.parquet", "--recordings", "9"]
            assert select_segments.main(["--dataset", "all", *own[:2], *clips[:2], *tables, *rows]) == 0

    def export(self, format, name="out", **own):
        """The exit status of an export, and its folder."""
        self.config["exports"] = {name: {"dataset": "all", "format": format, **own}}
        Path("work/settings.json").write_text(json.dumps(self.settings.model_dump(mode="json")))
        folder = Path("dist/exports", name)
        selections = [f"data/selection/all/{c}/000.parquet" for c in self.config["datasets"]["all"]["corpora"]]
        arguments = ["--export", name, "--selection", *selections, "--out", str(folder)]
        return export_dataset.main([*arguments, "--carry", f"work/carry/export/{name}"]), folder


def corpus(name, licence):
    path = {"path": f"raw/{name}", "layout": "wav_lab", "language": "fi"}
    return {**path, "speaker": name, "licence": licence}


def tone(hz, seconds, rate=RATE, level=0.4):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)
