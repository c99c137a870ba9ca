"""A part of a corpus by hours: stable, nested, and no table is at fault for what was left out."""

import io
import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from loopback import tar_of

from kaiku.fetch import subset
from kaiku.layouts import recordings
from kaiku.store import scan
from workflow_scripts import fetch_corpus, scan_corpus

CLIPS = [f"LJ{number:03d}" for number in range(40)]


def sound(seconds):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.full(int(seconds * 8000), 1000, "<i2").tobytes())
    return data.getvalue()


@pytest.fixture
def corpus(server):
    table = "".join(f"{name}|Text of {name}.|Text of {name}.\n" for name in CLIPS).encode()
    clips = {f"LJ/wavs/{name}.wav": sound(2 + number % 3) for number, name in enumerate(CLIPS)}
    server.files["/lj"] = tar_of({"LJ/metadata.csv": table, **clips})
    return {"layout": "ljspeech", "speaker": "lj", "licence": "own", "source": {"url": f"{server.url}/lj"}}


def fetched(corpus, name, hours):
    source = {**corpus["source"], **({"hours": hours} if hours else {})}
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(
        json.dumps({"system": "test", "corpora": {name: {**corpus, "source": source, "shards": 1}}})
    )
    assert fetch_corpus.main(["--corpus", name]) == 0
    return {path.stem for path in Path(f"data/raw/{name}").rglob("*.wav")}


def test_more_hours_hold_what_fewer_hold(corpus):
    few, more = fetched(corpus, "few", 20 / 3600), fetched(corpus, "more", 60 / 3600)
    assert 5 <= len(few) <= 10 and 15 <= len(more) <= 30
    assert few < more < set(CLIPS)
    assert fetched(corpus, "again", 20 / 3600) == few
    assert fetched(corpus, "whole", None) == fetched(corpus, "ample", 1000) == set(CLIPS)


def test_a_table_that_names_what_was_left_out_is_no_problem(corpus):
    kept = fetched(corpus, "few", 20 / 3600)
    folder = Path("data/manifests/few")
    assert sorted(scan.recordings(folder)) == sorted(f"LJ--wavs--{name}" for name in kept)
    assert scan.read_problems(folder) == []
    assert scan_corpus.main(["--corpus", "few"]) == 0  # as every start of the workflow does
    assert len(list(scan.recordings(folder))) == len(kept)
    gone = next(Path("data/raw/few").rglob("*.wav"))
    gone.unlink()
    assert scan_corpus.main(["--corpus", "few"]) == 0
    assert [problem.where for problem in scan.read_problems(folder)] != []


def test_a_name_that_is_no_text_is_left_to_the_scan(tmp_path):
    """It belongs to no recording, as at every start."""
    named = tmp_path / os.fsdecode(b"k\xe4ynti.wav")
    for path in (named, tmp_path / "b.wav", tmp_path / "c.wav"):
        path.write_bytes(sound(2))
    assert subset.keep(tmp_path, 1 / 3600, recordings.discover, recordings.Settings()) == (2 / 3600, 1)
    assert named.exists() and len(list(tmp_path.glob("*.wav"))) == 2


def test_all_names_of_a_file_stay_or_go_together_and_count_once(tmp_path):
    (tmp_path / "d").mkdir()
    for number in range(6):
        (tmp_path / f"d/{number}.wav").write_bytes(sound(2))
        (tmp_path / f"link-{number}.wav").symlink_to(f"d/{number}.wav")
        (tmp_path / f"hard-{number}.wav").hardlink_to(tmp_path / f"d/{number}.wav")
    (tmp_path / "e").symlink_to("d")
    kept_h, left_out = subset.keep(tmp_path, 5 / 3600, recordings.discover, recordings.Settings())
    assert (round(kept_h * 3600), left_out) == (6, 12)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    assert len(names) == 9 and all((tmp_path / name).exists() for name in names)
    assert len(subset.left_out(tmp_path)) == 12


def test_what_cannot_be_decoded_counts_as_no_time(tmp_path):
    (tmp_path / "a").mkdir()
    for name in CLIPS:
        (tmp_path / f"a/{name}.wav").write_bytes(b"no sound")
    from kaiku.layouts import wav_lab

    assert subset.keep(tmp_path, 1, wav_lab.discover, wav_lab.Settings()) == (0.0, 0)
    assert subset.left_out(tmp_path) == frozenset()
