"""A training without sentences says why, before it loads anything."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaiku import settings as configuration
from kaiku.store import tables
from kaiku.store.artefacts import SELECTION
from kaiku.store.protos import Sentence, group_by_speaker, write_protos
from workflow_scripts import train_model

CONFIG = {
    "system": "small",
    "corpora": {"voices": {"layout": "recordings", "licence": "CC0-1.0"}},
    "datasets": {"all": {"corpora": ["voices"], "select": {"duration_s": [3, None]}}},
    "codecs": {"toy": {"kind": "env", "dataset": "all"}},
    "runs": {"run": {"family": "fish", "dataset": "all", "codec": "toy"}},
}


@pytest.mark.parametrize(
    ("kept", "trained", "said"),
    [
        (False, 0, "error: dataset all: 0 of 2 clips kept; 2 shorter than select.duration_s.min=3."),
        (True, 2, "error: dataset all: 2 of 2 clips kept, none of them in val; split.val is 0.05."),
    ],
)
def test_nothing_to_train_on_or_to_choose_by(tmp_path, monkeypatch, capfd, kept, trained, said):
    monkeypatch.chdir(tmp_path)
    Path("work").mkdir()
    Path("work/settings.json").write_text(json.dumps(configuration.load(CONFIG).model_dump(mode="json")))
    frame = pd.DataFrame({"clip": ["a", "b"], "recording": ["a", "b"]}).reindex(columns=SELECTION.names)
    frame = frame.assign(duration_s=2.0, recording_s=2.0, kept=kept, reason="" if kept else "duration_s_low")
    frame = frame.assign(warnings="", split="train" if kept else "")
    tables.write_selection(Path("data/selection/all/voices/000.parquet"), frame)
    sentence = Sentence("kai", "sana", np.array([[0, 1], [2, 3]], dtype="<u2"))
    for split, count in (("train", trained), ("val", 0)):
        write_protos(Path(f"{split}.protos"), group_by_speaker("voices", [sentence] * count))
    folders = [word for name in ("codec", "out", "state", "carry") for word in (f"--{name}", name)]
    call = ["--run", "run", "--train", "train.protos", "--val", "val.protos", *folders]
    assert train_model.main(call) == 1 and said in capfd.readouterr().err
