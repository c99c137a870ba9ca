"""The plan and the passport of the toy, by the programs that `make plan` and `make explain` call."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from small_world import REPO, Workspace

from kaiku.store import tables


@pytest.fixture
def copied(toy, tmp_path) -> Workspace:
    """The toy after its run, elsewhere: what is tried on it need not be undone."""
    shutil.copytree(toy.root, tmp_path / "toy")
    return Workspace(tmp_path / "toy")


def ask(workspace, program, *arguments):
    command = [sys.executable, "-m", f"workflow_scripts.{program}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=workspace.root, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def stages(said):
    """Jobs and the rest of its line by stage."""
    table = said.split("Stage ")[1].split("\n\n")[0].splitlines()[1:]
    return {line.split("  ")[0]: " ".join(line.split()) for line in table}


def test_recordings_and_texts(copied):
    corpus = copied.root / "toy/corpus"
    shutil.copy(corpus / "aino/train-03.ogg", corpus / "otso/train-99.ogg")
    (corpus / "otso/train-03.ogg").unlink()
    (corpus / "otso/train-04.ogg").write_bytes((corpus / "aino/train-05.ogg").read_bytes())
    captions = corpus / "otso/train-06.vtt"
    text = captions.read_text()
    captions.write_text(text.replace(text.split("\n")[-2].split()[0], "Kaiku", 1))
    status, said, _ = ask(copied, "plan_run", "data/tokens/toy/otso/000.npy", "data/transcripts/given/otso/000.parquet")
    assert status == 0
    assert "  otso: 1 recording added, 1 edited, 1 removed\n  otso: 1 text changed\n\n" in said
    lines = stages(said)
    assert lines["segment_recordings"].startswith("segment_recordings 1 2 23 recordings")
    assert set(lines) == {"segment_recordings", "transcribe_segments", "encode_tokens"}
    assert re.match(r"encode_tokens 1 about [789] 92 clips ", lines["encode_tokens"]), "by bytes: of 2 recordings, 8"
    assert "Disk: about " in said and "no history yet" not in lines["encode_tokens"]
    segments = tables.segments(copied.root / "data/segments/otso/000.parquet")
    clip = segments.loc[segments["recording"] == "train-04", "clip"].iloc[0]
    status, said, _ = ask(copied, "explain_clip", clip, "--corpus", "otso", "--json")
    found = json.loads(said)
    assert status == 0 and found["models"][0] == {"run": "toy-base", "heard": True, "how": "trained on it"}
    assert found["staleness"][0]["why"] == ["the recording was edited, or is gone"]


def test_a_threshold_that_moves_no_clip_trains_nothing(copied):
    config = copied.config
    config["datasets"]["aino"]["select"] = {"duration_s": [0.5, 30]}
    copied.configure(config)
    status, said, _ = ask(copied, "plan_run", "models/toy/checkpoints")
    assert status == 0 and "  dataset aino: select.duration_s added: {max: 30, min: 0.5}\n" in said
    lines = stages(said)
    assert lines["select_segments"].endswith("decides as before")
    assert lines["pack_protos"].endswith("returns at once (same key)")
    assert lines["train_model toy"].startswith("train_model toy 1 0 120 steps")
    assert lines["train_model toy"].endswith("returns at once (same key)")
