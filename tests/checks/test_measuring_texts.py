"""A shard's texts through the program: a model that measures nothing is told before anything is loaded or measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from kaiku import loading
from kaiku.checks import alignment
from kaiku.settings import load
from kaiku.workspace.start import scan_corpus
from workflow_scripts import measure_texts, segment_recordings, transcribe_segments

RATE, CLIPS = 16_000, 3
COMMON = ["--settings", "settings.json", "--corpus", "voice"]
SHARD = ["--segments", "segments.parquet", "--audio", "segments.tar"]


def configure(asr=None, **checks):
    config = {
        "system": "test",
        "corpora": {"voice": {"path": "raw", "layout": "wav_lab", "licence": "own", "language": "fi"}},
        "datasets": {"spoken": {"corpora": ["voice"]}},
        "asr": asr or {},
        "bases": {name: {"path": name, "licence": "own"} for name in ("right", "wrong")},
        "checks": {"duration": {}, **checks},
    }
    with open("settings.json", "w") as file:
        json.dump(config, file)
    return load(config)


@pytest.fixture
def shard(tmp_path, monkeypatch):
    """Three transcribed clips, a model of letters and a folder with another kind of model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for n in range(CLIPS):
        noise = np.random.default_rng(n).standard_normal(RATE) * 0.1
        soundfile.write(f"raw/clip-{n}.wav", noise, RATE)
        (tmp_path / f"raw/clip-{n}.lab").write_text(f"kaiku {'abc'[n]}\n")
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    alignment.tiny(tmp_path / "right")
    shutil.copytree("right", "wrong", dirs_exist_ok=True)
    config = json.loads((tmp_path / "wrong/config.json").read_text())
    (tmp_path / "wrong/config.json").write_text(json.dumps({**config, "architectures": ["Wav2Vec2Model"]}))
    scan_corpus(configure(), "voice", shards=1)
    manifest = ["--manifest", "data/manifests/voice/000.audio.tsv", "--carry", "carry/segment"]
    assert segment_recordings.main([*COMMON, *manifest, "--audio", "segments.tar", "--rows", "segments.parquet"]) == 0
    texts = ["--texts", "data/manifests/voice/000.text.tsv", "--rows", "given.parquet", "--carry", "carry/given"]
    assert transcribe_segments.main([*COMMON, "--asr", "given", *SHARD, *texts]) == 0


ARGUMENTS = [*COMMON, "--asr", "given", *SHARD, "--transcripts", "given.parquet", "--rows", "m.parquet", "--carry", "c"]


def counts():
    found = measure_texts.program(measure_texts.parser().parse_args(ARGUMENTS))
    return found.computed, found.reused, found.failed


def test_a_wrong_model_is_told_before_anything_is_loaded_and_nothing_is_lost(shard, monkeypatch, capsys):
    configure(script={})
    assert counts() == (CLIPS, 0, 0)
    before = Path("m.parquet").read_bytes()
    configure(script={}, repetition={}, alignment={"model": "wrong", "device": "cpu"})
    monkeypatch.setattr(measure_texts, "load_check", lambda *_: pytest.fail("loaded"))
    assert measure_texts.main(ARGUMENTS) == 1
    told = capsys.readouterr().err
    assert "error: checks.alignment: wrong: a Wav2Vec2Model. Expected: a CTC model" in told
    assert "Name another base model" in told and Path("m.parquet").read_bytes() == before
    monkeypatch.setattr(measure_texts, "load_check", loading.load_check)
    configure(script={}, repetition={}, alignment={"model": "right", "device": "cpu"})
    assert counts() == (2 * CLIPS, CLIPS, 0)


def test_a_vocabulary_of_another_script_is_told(shard, capsys):
    with open("right/vocab.json", "w") as file:
        json.dump({"<pad>": 0, "|": 1, "క": 2, "ఖ": 3}, file)
    configure(alignment={"model": "right", "device": "cpu"})
    assert measure_texts.main(ARGUMENTS) == 1
    told = capsys.readouterr().err
    assert "checks.alignment: right/vocab.json: letters 'కఖ'. Expected: those of fi" in told


def test_what_breaks_as_a_model_is_loaded_names_its_check(shard, capsys):
    with open("right/preprocessor_config.json", "w") as file:
        json.dump({"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 8000}, file)
    configure(alignment={"model": "right", "device": "cpu"})
    assert measure_texts.main(ARGUMENTS) == 1
    assert "checks.alignment: right: a model for 8000 Hz. Expected: 16000 Hz" in capsys.readouterr().err


def test_a_transcript_that_failed_agrees_and_disagrees_with_nothing(shard):
    shutil.copy("given.parquet", "other.parquet")
    table = pq.read_table("given.parquet")
    failed = [{"text": "", "text_raw": ""}, {"status": "failed", "text": None, "text_raw": None}, {}]
    told = [{**row, **own} for row, own in zip(table.to_pylist(), failed, strict=True)]
    pq.write_table(pa.Table.from_pylist(told, table.schema), "given.parquet")
    configure(asr={"other": {"kind": "given"}}, agreement={"asr": "other"})
    assert measure_texts.main([*ARGUMENTS, "--seconds", "other.parquet"]) == 0
    found = {(row["clip"], row["measure"]): row["value"] for row in pq.read_table("m.parquet").to_pylist()}
    assert [found[f"clip-{n}", "disagreement_cer"] for n in range(CLIPS)] == [1.0, None, 0.0]
