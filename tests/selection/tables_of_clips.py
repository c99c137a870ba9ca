"""Segments, transcripts and measures of some recordings, for tests of what a dataset takes of them."""

import numpy as np
import pandas as pd

from kaiku.selection import DatasetSettings, decide

MANY = 1000


def settings(**values) -> DatasetSettings:
    return DatasetSettings(corpora=("c",), **{"split": {"val": 0.0}, **values})


def tables(clips) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """clips: (recording, start_s, end_s) or with speaker and language behind."""
    rows = [(*clip, *("s", "fi")[len(clip) - 3 :]) for clip in clips]
    segments = pd.DataFrame(rows, columns=["recording", "start_s", "end_s", "speaker", "language"])
    segments = segments.astype({"start_s": float, "end_s": float})
    numbers = segments.groupby("recording").cumcount().astype(str)
    segments["clip"] = segments["recording"] + "-" + numbers
    segments["recording_s"] = segments.groupby("recording")["end_s"].transform("max") + 1.0
    segments = segments.assign(item=segments["recording"], key="k", status="ok", error=None)
    text = {"text_raw": "Raaka", "text": "teksti", "confidence": 0.9}
    transcripts = pd.DataFrame({"clip": segments["clip"], "status": "ok", "error": None, **text})
    measures = pd.DataFrame({"clip": segments["clip"], "status": "ok", "snr_db": 30.0, "hum_db": np.nan})
    return segments, transcripts, measures


def decided(clips, recordings_total=MANY, withdrawn=(), shards=1, **values) -> pd.DataFrame:
    """What becomes of clips, by their names."""
    found = decide(
        *tables(clips), settings(**values), recordings_total=recordings_total, withdrawn=withdrawn, shards=shards
    )
    return found.set_axis(found["clip"].to_numpy())


def corpus(recordings, *, cut=((0, 2), (2.5, 4), (5, 9.5)), length_s=10.0, speaker="s"):
    """Segments, transcripts and measures of some recordings, each cut the same way."""
    segments = pd.DataFrame(
        [
            {
                "item": r,
                "key": "k",
                "status": "ok",
                "error": None,
                "clip": f"{r}-{i}",
                "recording": r,
                "start_s": float(a),
                "end_s": float(b),
                "recording_s": length_s,
                "speaker": speaker,
                "language": "fi",
            }
            for r in recordings
            for i, (a, b) in enumerate(cut)
        ]
    )
    clips = segments["clip"]
    transcripts = pd.DataFrame(
        {"clip": clips, "status": "ok", "error": None, "text_raw": "Raaka – " + clips, "text": "teksti " + clips}
    ).assign(confidence=0.9)
    measures = pd.DataFrame({"clip": clips, "status": "ok", "snr_db": 30.0, "hum_db": np.nan})
    return segments, transcripts, measures
