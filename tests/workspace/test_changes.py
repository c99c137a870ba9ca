"""What is said at every start of what changed since the artefacts were made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaiku import settings as configuration
from kaiku.planning.keytext import PresentKeys
from kaiku.store import manifests, scan
from kaiku.store.manifests import AudioRow, TextRow
from kaiku.workspace import changes, provenance

CONFIG = {
    "system": "small",
    "corpora": {"otso": {"layout": "recordings", "language": "fi", "licence": "CC0-1.0"}},
    "checks": {"duration": {}},
    "datasets": {"all": {"corpora": ["otso"], "select": {"duration_s": [1, 12]}}},
    "codecs": {"toy": {"kind": "env", "dataset": "all"}},
}
FOLDER = Path("data/manifests/otso")
SHARDS = ("000", "001")


def rows(*names):
    return [AudioRow(name, f"{name}.wav", f"digest of {name}", 1, "", "fi", {}) for name in names]


def write(shard, *names, texts=("yksi",)):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "corpus.json").write_text('{"format": 1, "shards": 2}')
    manifests.write_audio(manifests.audio_path(FOLDER, shard), rows(*names))
    said = [TextRow(name, None, None, text) for name in names for text in texts]
    manifests.write_text(manifests.text_path(FOLDER, shard), said)


def made(settings, output, rule, **names):
    """An artefact, with the record that its job would leave now."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text("made")
    provenance.restore(output, rule, [repr(PresentKeys(settings, lambda corpus: 3).of(rule, names))], [])


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Two shards, each made of the manifest that stands there, and a dataset and tokens of them."""
    monkeypatch.chdir(tmp_path)
    settings = configuration.load(CONFIG)
    write("000", "a", "b")
    write("001", "c")
    for shard in SHARDS:
        manifests.keep(manifests.audio_path(FOLDER, shard), Path("work/carry/segment/otso") / shard)
        manifests.keep(manifests.text_path(FOLDER, shard), Path("work/carry/transcribe/given/otso") / shard)
        made(settings, f"data/segments/otso/{shard}.parquet", "segment_recordings", corpus="otso", shard=shard)
        made(settings, f"data/selection/all/otso/{shard}.parquet", "select_segments", dataset="all", corpus="otso")
        made(settings, f"data/tokens/toy/otso/{shard}.parquet", "encode_tokens", codec="toy", corpus="otso")
        made(settings, f"data/measures/otso/{shard}.parquet", "measure_segments", corpus="otso")


def lines(**changed):
    return changes.lines(configuration.load({**CONFIG, **changed}), {"otso": scan.read(FOLDER)})


def test_nothing_changed_nothing_said(workspace):
    assert lines() == []


def test_recordings(workspace):
    write("000", "b", "d", "e")
    assert lines() == ["otso: 2 recordings added, 1 removed", "dataset all: recordings 3 -> 4"]
    write("000", "a", "b")
    assert lines() == [], "changed back, though the manifest is another file now"


def test_a_recording_that_moved_to_another_shard_under_another_name(workspace):
    write("000", "a")
    moved = [*rows("c"), AudioRow("z", "z.wav", "digest of b", 1, "", "fi", {})]
    manifests.write_audio(manifests.audio_path(FOLDER, "001"), moved)
    assert lines()[0] == "otso: 1 recording added, 1 removed"


def test_a_shard_that_lost_its_last_recording(workspace):
    write("001")
    assert lines()[0] == "otso: 1 recording removed"


def test_texts(workspace):
    write("000", "a", "b", texts=("kaksi",))
    assert lines() == ["otso: 2 texts changed"]


def test_decisions_of_the_review(workspace):
    for shard, age_s in zip(SHARDS, (-60, 60), strict=True):
        decided = Path(f"data/review/otso/{shard}.tsv")
        decided.parent.mkdir(parents=True, exist_ok=True)
        decided.write_text("")
        made_s = Path(f"data/selection/all/otso/{shard}.parquet").stat().st_mtime
        os.utime(decided, (made_s + age_s, made_s + age_s))
    assert lines() == ["otso: decisions of the review changed in 1 shard"]


def test_of_many_shards_their_number(workspace, monkeypatch):
    monkeypatch.setattr(changes, "READ_AT_MOST", 1)
    write("000", "a")
    write("001", "c", "d")
    assert lines() == ["otso: recordings of 2 shards changed", "otso: texts of 2 shards changed"]


def test_settings(workspace):
    own = CONFIG["corpora"]["otso"]
    assert lines(
        corpora={"otso": {**own, "segment": {"pause_ms": 500}}},
        datasets={"all": {"corpora": ["otso"], "select": {"duration_s": [1, 10]}}},
        checks={"duration": {}, "level": {}},
    ) == [
        "corpus otso: segment.pause_ms 400 -> 500",
        "check level: added",
        "dataset all: select.duration_s.max 12 -> 10",
    ]


def test_what_is_not_configured_any_more_is_not_spoken_of(workspace):
    assert lines(datasets={"other": {"corpora": ["otso"]}}, codecs={}) == []


def test_weights(workspace):
    weights = Path("models/codecs/toy/encoder.safetensors")
    weights.parent.mkdir(parents=True)
    weights.write_text("w")
    os.utime(weights, (0, 0))
    assert lines() == []
    later = Path("data/tokens/toy/otso/000.parquet").stat().st_mtime + 10
    os.utime(weights, (later, later))
    assert lines() == ["codec toy: weights are newer than its tokens"]


def test_a_long_list_is_cut_and_says_so(workspace, monkeypatch):
    monkeypatch.setattr(changes, "TOLD_AT_MOST", 1)
    write("000", "a")
    assert lines() == ["otso: 1 recording removed", "and 1 change more"]


def test_a_record_that_a_kill_cut_off(workspace):
    record = next(r for r in provenance.records() if r.output == "data/segments/otso/000.parquet")
    record.file.write_text('{"params": [')
    assert lines() == []


def test_the_outputs_are_those_of_the_rules():
    import re

    text = "".join(path.read_text() for path in (Path(__file__).parents[2] / "rules").glob("*.smk"))
    found = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.M | re.S))
    for rule, output in changes.OUTPUTS.items():
        assert f'"{output}"' in found[rule].partition("log:")[0].replace("{wildcards.", "{"), rule


def test_every_start_imports_no_tables():
    code = "import sys, kaiku.workspace.changes; print(*{'pyarrow', 'pandas', 'torch', 'dvc'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""
