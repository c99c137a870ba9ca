"""A clip's passport, from the artefacts of a small workspace."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_workspace import CONFIG, PROGRAMS, SELECTION, configure, run, scan, speak

from kaiku.planning.finding import Place, find
from kaiku.planning.heard import models_that_heard
from kaiku.planning.passport import passport, recording_passport
from kaiku.planning.passport_page import page
from kaiku.planning.staleness import staleness
from kaiku.planning.verdicts import in_words
from kaiku.selection import Bounds
from kaiku.store import artefacts, code, items, tables
from kaiku.store.items import Item, Outcome
from kaiku.store.protos import Sentence, group_by_speaker, write_protos
from kaiku.workspace.plan import recorded
from workflow_scripts import transcribe_segments

PACK = Path("data/protos/all/toy/train/voices-000.protos")
RUNS = {"base": {"family": "fish", "dataset": "all", "codec": "toy"}}
RUNS["voice"] = {**RUNS["base"], "dataset": "other", "base": "base"}
WITH_RUNS = {
    "codecs": {"toy": {"kind": "env", "dataset": "all"}},
    "datasets": {**CONFIG["datasets"], "other": {"corpora": ["voices"]}},
    "runs": RUNS,
}


def told(settings, clip):
    """A clip's passport with everything in it."""
    place = find(settings, clip)
    found = passport(settings, place)
    found["models"] = models_that_heard(settings, found["packs"], lambda run: f"key of {run}")
    found["staleness"] = staleness(settings, place, PROGRAMS, recorded)
    return found


@pytest.fixture
def packed(workspace):
    """Settings of a workspace with tokens, a pack of the kept clips, and two runs that were trained."""
    settings = configure(**WITH_RUNS)
    clips = ["one", "three", "two"]
    codes = {clip: np.full((5 + n, 3), n, dtype="<u2") for n, clip in enumerate(clips)}
    rows_path = Path("data/tokens/toy/voices/000.parquet")
    tokens = artefacts.tokens(rows_path, rows_path.with_suffix(".npy"), 3, Path("work/carry/encode/toy/voices/000"))
    encode = items.each(lambda clip: Outcome([{}], [codes[clip].tobytes()]))
    wanted = [Item(clip, f"key of {clip}", clip, lambda _, clip=clip: {"clip": clip}) for clip in clips]
    items.run(tokens, wanted, encode, label="test", max_failed=0)
    kept = tables.selection(Path(SELECTION))
    kept = kept[kept["kept"]]
    sentences = [Sentence("aino", text, codes[clip]) for clip, text in zip(kept["clip"], kept["text"], strict=True)]
    PACK.parent.mkdir(parents=True)
    write_protos(PACK, group_by_speaker("voices", sentences))
    for name in RUNS:
        record = Path("models", name, "checkpoints/run.json")
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"key": f"key of {name}"}))
    return settings


def test_where_a_clip_comes_from_and_how_it_was_cut(workspace):
    found = passport(configure(), Place("voices", "000", "two", "two"))
    assert found["source"]["path"] == "raw/two.wav" and found["source"]["state"] == "there, as it was read"
    assert found["source"]["bytes"] == Path("raw/two.wav").stat().st_size
    cut = found["segment"]
    assert (cut["start_s"], cut["end_s"], cut["sample_rate"], cut["referenced"]) == (0.0, 0.5, 16000, True)
    assert (found["speaker"], found["language"], found["licence"]) == ("aino", "fi", "CC0-1.0")


def test_texts_and_measures(workspace):
    found = passport(configure(), Place("voices", "000", "two", "two"))
    assert [(row["asr"], row["text_raw"]) for row in found["transcripts"]] == [("given", "sana")]
    measures = {row["measure"]: row for row in found["measures"]}
    assert set(measures) == {"duration_s", "rms_db", "peak_db", "dc"}
    assert measures["peak_db"]["value"] == pytest.approx(20 * np.log10(0.25), abs=0.01)
    assert measures["duration_s"]["meaning"] == "s, length of the clip."


def test_decisions_name_the_figure_and_the_bound(workspace):
    settings = configure()
    kept, left = (passport(settings, Place("voices", "000", clip, clip))["decisions"][0] for clip in ("two", "three"))
    assert (kept["kept"], kept["split"], kept["text"]) == (True, "train", "sana")
    assert (left["kept"], left["reason"], left["words"]) == (False, "peak_db_high", "peak_db 3.522 is above 0")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("failed:segment", "its recording could not be cut"),
        ("no_text", "it has no text"),
        ("hum_db_not_measurable", "hum_db could not be measured, and is required"),
        ("speech_share_low", "speech_share 0.2 is below 0.4"),
        ("hum_db_high", "hum_db was too high for the bound it was decided by, which is another one now"),
    ],
)
def test_reasons_in_words(reason, words):
    select = {"speech_share": Bounds(min=0.4), "hum_db": Bounds(max=12, required=True)}
    assert in_words(reason, {"speech_share": 0.2, "hum_db": 11.0}, select) == words


def test_tokens_packs_and_models(packed):
    found = told(packed, "two")
    assert [(t["first"], t["frames"], t["codebooks"], t["seconds"]) for t in found["tokens"]] == [(11, 7, 3, 0.5)]
    assert [(p["path"], p["position"]) for p in found["packs"]] == [(str(PACK), 1)]
    assert [(m["run"], m["heard"], m["how"]) for m in found["models"]] == [
        ("base", True, "trained on it"),
        ("voice", True, "through base, which it was made from; itself not in its packs"),
    ]


def test_a_clip_that_was_left_out_is_in_no_pack(packed):
    found = told(packed, "three")
    assert found["packs"] == [] and [m["heard"] for m in found["models"]] == [False, False]


def test_a_pack_that_is_older_than_the_selection(packed):
    write_protos(PACK, group_by_speaker("voices", [Sentence("aino", "sana", np.zeros((5, 3), dtype="<u2"))]))
    found = told(packed, "two")
    assert [p["position"] for p in found["packs"]] == [None] and not found["models"][0]["heard"]
    assert "not there as it is now" in page(found)


def test_of_a_model_trained_on_other_packs_nothing_is_claimed(packed):
    place = find(packed, "two")
    models = models_that_heard(packed, passport(packed, place)["packs"], lambda run: "another key")
    assert [m["heard"] for m in models] == [None, None] and "cannot be told" in models[0]["how"]


def test_nothing_is_stale_of_what_was_just_made(workspace):
    lines = told(configure(), "two")["staleness"]
    assert [line["stale"] for line in lines] == [False, False, False, False]
    assert lines[0]["depends_on"][0] == "bytes of the recording" and "settings of check level" in lines[2]["depends_on"]


def test_an_edited_recording_makes_its_own_clip_stale_and_no_other(workspace):
    settings = configure()
    speak("two", 0.3)
    assert told(settings, "two")["source"]["state"] == "there, but changed since it was read"
    scan(settings)
    lines = told(settings, "two")["staleness"]
    assert [line["stale"] for line in lines] == [True, None, None, False]
    assert lines[0]["why"] == ["the recording was edited, or is gone"]
    assert not any(line["stale"] for line in told(settings, "one")["staleness"])


def test_an_edited_text_and_a_changed_check(workspace):
    Path("raw/two.lab").write_text("toinen\n")
    settings = configure(checks={"duration": {}, "level": {}, "clipping": {}})
    scan(settings)
    lines = told(settings, "two")["staleness"]
    assert [line["why"] for line in lines] == [
        [],
        ["its given text was edited, or what the transcriber hears"],
        ["check clipping: added"],
        [],
    ]


def test_a_text_that_would_be_spelt_otherwise_is_stale_though_nothing_is_heard_again(workspace, monkeypatch):
    settings = configure()
    version = code.code_version
    locked = version("kaiku.text.normalise")
    edited = {"kaiku.text.normalise": f"{locked}+0123456789ab"}
    monkeypatch.setattr(code, "code_version", lambda module: edited.get(module) or version(module))
    assert not any(line["stale"] for line in told(settings, "two")["staleness"]), "an edit that changes no text of it"
    monkeypatch.setattr(transcribe_segments, "normalise", lambda text, language: text.upper())
    lines = told(settings, "two")["staleness"]
    assert [line["stale"] for line in lines] == [False, True, False, False]
    assert lines[1]["why"] == [f"code of kaiku.text.normalise changed ({locked} -> {locked}+012345)"]


def test_a_threshold_makes_decisions_stale_and_nothing_else(workspace):
    settings = configure(datasets={"all": {**CONFIG["datasets"]["all"], "select": {"peak_db": {"max": -6}}}})
    lines = told(settings, "two")["staleness"]
    assert [line["why"] for line in lines] == [[], [], [], ["dataset all: select.peak_db.max 0 -> -6"]]


def test_what_failed_says_so(workspace):
    settings = configure(corpora={"voices": {**CONFIG["corpora"]["voices"], "max_failed": 1.0}})
    Path("raw/broken.wav").write_bytes(b"no audio")
    run(settings)
    found = recording_passport(settings, find(settings, "broken"))
    assert found["clips"] == [] and found["outcome"]["status"] == "failed" and "failed: " in page(found)


def test_a_recording_that_is_gone(workspace):
    settings = configure()
    for suffix in ("wav", "lab"):
        Path(f"raw/one.{suffix}").unlink()
    assert told(settings, "one")["source"]["state"] == "not on this machine"
    scan(settings)
    found = told(settings, "one")
    assert found["source"] == {"state": "no longer among the corpus' recordings"}
    assert found["staleness"][0]["why"] == ["the recording was edited, or is gone"]


def test_the_page_has_every_part(packed):
    text = page(told(packed, "two"))
    for part in ("Source", "Cut", "Transcripts", "Measures", "Datasets", "Tokens", "Packs", "Models", "Stale now"):
        assert f"\n{part}\n" in text
    assert "all: kept, train: sana" in text and "toy: rows 11 to 18: 7 frames of 3 codes for 0.500 s" in text
    assert "duration_s: 0.5  (s, length of the clip)" in text


def test_the_passport_is_json(packed):
    assert json.loads(json.dumps(told(packed, "two")))["clip"] == "two"
