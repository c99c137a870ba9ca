"""A part of a corpus by hours: stable, nested, and no table is at fault for what was left out."""

import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from loopback import tar_of

from kaiku.fetch import subset
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


def test_what_cannot_be_decoded_counts_as_no_time(tmp_path):
    (tmp_path / "a").mkdir()
    for name in CLIPS:
        (tmp_path / f"a/{name}.wav").write_bytes(b"no sound")
    from kaiku.layouts import wav_lab

    assert subset.keep(tmp_path, 1, wav_lab.discover, wav_lab.Settings()) == (0.0, 0)
    assert subset.left_out(tmp_path) == frozenset()
