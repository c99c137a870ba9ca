"""A list of what to collect, collected, and what is then there."""

import io
import json
from pathlib import Path

import numpy as np
import soundfile

from kaiku.collect import collection
from kaiku.collect.settings import CollectSettings

ROOT = Path("data/raw/x")
RIGHTS = "written consent of the speaker, 2026-11-02"
CC = "Creative Commons Attribution license (reuse allowed)"


def sound(seconds, seed=0, kind="OGG"):
    """A recording of noise."""
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)
    data = io.BytesIO()
    soundfile.write(data, samples, 16000, format=kind)
    return data.getvalue()


def gather(server, entries, licence="own", language="fi", **own):
    """Collect a list of paths or of entries; returns the rows."""
    said = [{"url": e, "rights": RIGHTS} if isinstance(e, str) else dict(e) for e in entries]
    for entry in said:
        entry["url"] = entry["url"] if "://" in entry["url"] else server.url + entry["url"]
    Path("sources.yaml").write_text(json.dumps(said))
    own = CollectSettings(**{"sources": "sources.yaml", "rights_confirmed": True, "pause_s": [0, 0], **own})
    return collection.collect("corpora.x.collect", own, ROOT, language, licence)


def states(rows):
    return [row.state for row in rows]


def folders():
    return sorted(path.name for path in ROOT.iterdir()) if ROOT.exists() else []


def record(name):
    return json.loads((ROOT / name / f"{name}.info.json").read_text())
