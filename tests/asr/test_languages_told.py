"""What a transcriber is told of a clip's language, and what a mended tag costs."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from kaiku import plugins
from kaiku.settings import load
from kaiku.workspace.start import scan_corpus
from workflow_scripts import segment_recordings, transcribe_segments

HEARING = '''"""Says in which language it was told to hear."""

from kaiku.asr import Transcript
from kaiku.strict import Strict

NEEDS = "audio"
LIBRARIES = ()


class Settings(Strict):
    language: str = ""


class Hearing:
    def transcribe(self, clip):
        return Transcript(f"16 {clip.language}", None, clip.language)


def load(settings, folder=None):
    return Hearing()
'''
RATE, CLIPS = 16_000, 2


@pytest.fixture
def transcribed(tmp_path, monkeypatch):
    """Transcribe two clips of a language, by a transcriber of a kind: computed, reused, and a row."""
    monkeypatch.chdir(tmp_path)
    for folder in ("raw", "mine/asr"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mine/asr/hearing.py").write_text(HEARING)
    for n in range(CLIPS):
        soundfile.write(f"raw/{n}.wav", np.random.default_rng(n).standard_normal(RATE) * 0.1, RATE)
        (tmp_path / f"raw/{n}.lab").write_text("16")

    def of(tag, kind="hearing", **options):
        config = {
            "system": "test",
            "plugins": ["mine"],
            "corpora": {"voice": {"path": "raw", "layout": "wav_lab", "licence": "own", "language": tag}},
            "asr": {"heard": {"kind": kind, "options": options}},
            "checks": {"duration": {}},
        }
        (tmp_path / "settings.json").write_text(json.dumps(config))
        scan_corpus(load(config), "voice", shards=1)
        common = ["--settings", "settings.json", "--corpus", "voice", "--audio", "s.tar"]
        manifest = ["--manifest", "data/manifests/voice/000.audio.tsv", "--rows", "s.parquet", "--carry", "carry/s"]
        assert segment_recordings.main([*common, *manifest]) == 0
        texts = ["--texts", "data/manifests/voice/000.text.tsv", "--rows", "t.parquet", "--carry", f"carry/{kind}"]
        arguments = [*common, *texts, "--segments", "s.parquet", "--asr", "heard"]
        counts = transcribe_segments.program(transcribe_segments.parser().parse_args(arguments))
        row = pq.read_table("t.parquet").to_pylist()[0]
        return (counts.computed, counts.reused), (row["text_raw"], row["text"], row["language"])

    yield of
    plugins.use_folders([])


def test_a_mended_region_spells_anew_and_hears_nothing_again(transcribed):
    assert transcribed("pt") == ((CLIPS, 0), ("16 pt", "dezesseis pt", "pt"))
    assert transcribed("pt-PT") == ((0, CLIPS), ("16 pt", "dezasseis pt", "pt"))
    assert transcribed("fi") == ((CLIPS, 0), ("16 fi", "kuusitoista fi", "fi"))


def test_where_the_transcriber_is_set_to_a_language_no_tag_makes_it_hear_again(transcribed):
    assert transcribed("und", language="pt") == ((CLIPS, 0), ("16 pt", "dezesseis pt", "pt"))
    assert transcribed("pt-PT", language="pt") == ((0, CLIPS), ("16 pt", "dezasseis pt", "pt"))


def test_a_given_text_keeps_its_whole_tag(transcribed):
    assert transcribed("pt-PT", kind="given")[1] == ("16", "dezasseis", "pt-PT")
