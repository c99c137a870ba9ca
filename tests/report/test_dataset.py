"""A dataset's report: its figures by hand, its gates, its page."""

import json
import re

import numpy as np
import pytest
from tables_of_clips import MANY, settings, tables

from kaiku.errors import KaikuError
from kaiku.report.dataset import render
from kaiku.report.histogram import histogram
from kaiku.report.survey import Survey
from kaiku.selection import GateSettings, decide
from kaiku.selection.advice import nothing_kept, sentences
from kaiku.selection.gates import gates, refuse

CLIPS = [("a", 0, 2, "kai"), ("a", 3, 9, "kai"), ("b", 0, 25, "aino", "pt"), ("c", 0, 4, None, None)]


def surveyed(shards=(CLIPS,), failures=(), hum_db=(), **values) -> dict:
    own = settings(**values)
    found = Survey(own)
    for clips in shards:
        segments, transcripts, measures = tables(clips)
        measures["hum_db"] = list(hum_db) or np.nan
        frame = decide(segments, transcripts, measures, own, recordings_total=MANY)
        facts = {name: measures[name].to_numpy(dtype=float) for name in found.asked & set(measures.columns)}
        found.add("c", frame, facts, failures)
    return {"dataset": "mine", **found.result(), "problems": {"count": 0, "items": []}}


def test_sums_by_corpus_speaker_and_language():
    found = surveyed(select={"duration_s": [None, 20]})
    assert found["account"]["source"] == {"ms": 10_000 + 26_000 + 5_000, "clips": 4}
    assert found["account"]["kept"] == {"ms": 12_000, "clips": 3}
    assert found["account"]["dropped"] == {"duration_s_high": {"ms": 25_000, "clips": 1}}
    assert found["account"]["outside"] == {"ms": 4_000, "clips": 0} and found["corpora"]["c"]["recordings"] == 3
    assert set(found["speakers"]) == {"c/kai", "c/aino", "c/"} and set(found["languages"]) == {"fi", "pt", ""}
    assert found["speakers"]["c/kai"] == {
        "clips": 2,
        "kept": 2,
        "kept_seconds": 8.0,
        "train_seconds": 8.0,
        "clip_seconds": 8.0,
    }
    assert found["languages"]["pt"]["kept"] == 0 and found["languages"]["pt"]["clip_seconds"] == 25.0


def test_shards_one_by_one_are_the_corpus_at_once():
    apart, at_once = (
        surveyed([CLIPS[:2], CLIPS[2:]], warn={"snr_db": [40, None]}),
        surveyed(warn={"snr_db": [40, None]}),
    )
    assert apart == at_once


def test_a_measure_with_its_bounds_and_what_is_far_out():
    clips = [(f"r{n}", 0, 5) for n in range(21)]
    values = [10.0 + n % 3 for n in range(20)] + [90.0]
    found = surveyed([clips], hum_db=values, select={"hum_db": {"max": 50, "languages": {"te": [3, 40]}}})
    hum = found["measures"]["hum_db"]
    assert sum(hum["kept"]) == 20 and sum(hum["dropped"]) == 1 and hum["not_measurable"] == 0
    assert hum["bounds"] == [
        {"where": "select.hum_db", "language": "", "min": None, "max": 50.0},
        {"where": "select.hum_db", "language": "te", "min": 3.0, "max": 40.0},
    ]
    (row,) = hum["by"]
    assert (row["clips"], row["median"], row["mad"], row["far"]) == (21, 11.0, 1.0, 1)
    (even,) = found["measures"]["duration_s"]["by"]
    assert even["mad"] == 0 and even["far"] is None, "nothing is far out of no spread"
    svg = histogram("hum_db", hum)
    assert svg.count('<rect class="dropped"') == 1 and "max 50" in svg and "te max 40" in svg
    assert histogram("hum_db", surveyed(select={"hum_db": {"max": 50}})["measures"]["hum_db"]) == ""


def test_what_to_change_is_said_commonest_first_with_its_setting():
    found = surveyed(
        select={"duration_s": [5, 20]}, warn={"snr_db": {"min": 40}}, split={"val": ["nobody-*"]}, require_text=False
    )
    assert found["advice"] == [
        "c: 2 of 4 shorter than select.duration_s.min=5",
        "c: 1 of 4 longer than select.duration_s.max=20",
        "c: 1 kept, but with snr_db below warn.snr_db.min=40",
        "split.val holds nothing out: raise it, name recordings (`val: [id, ...]`), or draw with another split.salt",
    ]
    assert surveyed()["advice"] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("hum_db_not_measurable", "2 of 9 of which hum_db could not be measured, and select.hum_db.required is set"),
        ("rate_low", "2 of 9 with rate below what select.rate has for their language"),
        ("duration_s_low", "2 of 9 shorter than per_corpus.c.select.duration_s.min=3"),
        ("of_a_plug_in", "2 of 9 left out: of_a_plug_in"),
        ("no_text", "2 of 9 without text: give them one, take another asr, or set require_text: false"),
    ],
)
def test_reasons_in_words(code, words):
    own = settings(
        select={"hum_db": {"required": True}, "rate": {"languages": {"fi": [1, 2]}}, "duration_s": [1, 2]},
        per_corpus={"c": {"select": {"duration_s": [3, 4]}}},
    )
    part, nothing = {"clips": 2, "ms": 1}, {"clips": 0, "ms": 0}
    account = {"source": {"clips": 9}, "kept": nothing, "dropped": {code: part}, "clipless": {}, "warned": {}}
    assert sentences(own, account, "c") == [words]
    if code == "duration_s_low":
        assert sentences(own, account) == ["2 of 9 shorter than the min of select.duration_s"], "corpora have several"
    clipless = {**account, "clipless": {code: 1}, "dropped": {code: nothing}}
    assert sentences(own, clipless, "c")[0].startswith("1 recording ")


def test_gates_of_what_is_kept():
    durations_s = np.array([0.5, 1.0, 20.0, 21.0, 5.0])
    asked = GateSettings(in_range=0.6, defects=0.2, speaker_hours=1)
    found = {gate.name: gate for gate in gates(asked, durations_s, 1, {"kai": 2.0, "aino": 0.5})}
    assert found["share in range"].found == 0.6 and found["share in range"].passed
    assert found["share of defects"].found == 0.2 and found["share of defects"].passed
    assert found["hours per speaker"].found == 0.5 and not found["hours per speaker"].passed
    assert "aino" in found["hours per speaker"].meaning
    none = gates(asked, np.zeros(0), 0, {})
    assert [gate.found for gate in none] == [None] * 3 and not any(gate.passed for gate in none)
    with pytest.raises(KaikuError, match=r"dataset mine .* hours per speaker is 0\.5, wanted at least 1\."):
        refuse("mine", [vars(gate) for gate in found.values()])
    refuse("mine", [vars(gate) for gate in found.values() if gate.passed])


def spread_gate(spreads_st, least=1.5):
    (gate,) = gates(GateSettings(prosodic_spread_st=least), np.ones(1), 0, {}, spreads_st)[2:]
    return gate


def test_the_gate_of_the_prosodic_spread_is_by_the_corpus_with_least():
    lively, flat = np.array([2.0, 3.0, np.nan, 4.0]), np.array([0.2, 0.4, 9.0])
    passed = spread_gate({"aino": lively, "empty": np.zeros(0)})
    assert passed.passed and passed.found == 3.0 and passed.meaning.endswith("with least, aino: 3 of 4 clips measured")
    failed = spread_gate({"aino": lively, "otso": flat})
    assert not failed.passed and failed.found == 0.4
    with pytest.raises(
        KaikuError, match=r"prosodic spread is 0\.4, wanted at least 1\.5 \(semitones.*otso: 3 of 3"
    ) as e:
        refuse("mine", [vars(failed)])
    assert "record or choose livelier speech for otso" in str(e.value)
    assert "select.pitch_spread_st: {min: 1.5}" in str(e.value)
    assert len(gates(GateSettings(), np.ones(1), 0, {}, {"otso": flat})) == 2, "not asked"


@pytest.mark.parametrize("spreads_st", [{}, {"aino": np.zeros(0)}, {"aino": np.ones(3), "otso": np.full(2, np.nan)}])
def test_a_spread_that_was_not_measured_does_not_pass(spreads_st):
    gate = spread_gate(spreads_st)
    assert gate.found is None and not gate.passed
    with pytest.raises(KaikuError, match=r"prosodic spread is not known.*measure the check `pitch`"):
        refuse("mine", [vars(gate)])


def test_a_survey_judges_the_spread_of_kept_clips_only():
    def spread(values):
        own = settings(gates={"prosodic_spread_st": 1.5}, select={"duration_s": [None, 20]})
        segments, transcripts, measures = tables(CLIPS)
        found = Survey(own)
        assert found.asked == {"duration_s", "pitch_spread_st"}
        frame = decide(segments, transcripts, measures, own, recordings_total=MANY)
        facts = {} if values is None else {"pitch_spread_st": np.array(values)}
        found.add("c", frame, facts, ())
        result = found.result()
        return next(g for g in result["gates"] if g["name"] == "prosodic spread"), result

    gate, result = spread([0.5, 0.7, 9.0, 0.9])  # the third is longer than 20 s
    assert gate["found"] == pytest.approx(0.7) and not gate["passed"] and not result["passed"]
    assert any(s.startswith("gate prosodic spread: record or choose livelier speech for c") for s in result["advice"])
    assert sum(result["measures"]["pitch_spread_st"]["kept"]) == 3
    gate, result = spread([2, 3, 0.1, np.nan])
    assert gate["found"] == 2.5 and gate["passed"] and not any("prosodic" in s for s in result["advice"])
    gate, result = spread(None)
    assert gate["found"] is None and not gate["passed"]


def test_defects_are_clips_not_warnings_and_not_durations():
    warn = {"snr_db": [40, None], "confidence": [0.95, None], "duration_s": [3, None]}
    found = surveyed(warn=warn, gates={"defects": 0.5})
    share = next(gate for gate in found["gates"] if gate["name"] == "share of defects")
    assert share["found"] == 1.0 and not share["passed"] and not found["passed"]
    only_short = surveyed(warn={"duration_s": [3, None]}, gates={"duration_s": [1, 30]})
    assert only_short["account"]["warned"] == {"duration_s_low": {"ms": 2_000, "clips": 1}} and only_short["passed"]


def test_the_page_holds_it_all_and_refers_to_nothing():
    failure = {"item": "x<y>", "stage": "segment", "error": "cut off & gone"}
    found = surveyed(failures=[failure], select={"duration_s": [5, 20]}, warn={"snr_db": [40, None]})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    page = render(found, {"c": "CC-BY-NC-4.0"}, {"duration_s": "s."})
    assert "Not for commercial use: corpus c is under CC-BY-NC-4.0." in page
    assert "c/x&lt;y&gt;" in page and "cut off &amp; gone" in page and "select.duration_s.min=5" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page) and "<script" not in page
    assert page == render(found, {"c": "CC-BY-NC-4.0"}, {"duration_s": "s."})


def test_a_dataset_that_keeps_nothing_says_so():
    found = surveyed(select={"duration_s": [90, None]})
    page = render(found, {"c": "own"}, {})
    assert "Nothing is kept: c: 4 of 4 shorter than select.duration_s.min=90" in page and not found["passed"]
    account = {"source": {"clips": 4}, "kept": {"clips": 0}, "clipless": {}, "warned": {}}
    account |= {"dropped": {"duration_s_low": {"clips": 4}}}
    error = nothing_kept("mine", settings(select={"duration_s": [90, None]}), account, "train")
    assert str(error).startswith("dataset mine: 0 of 4 clips kept; 4 shorter than select.duration_s.min=90.")
    assert "make survey DATASET=mine" in str(error)
    held = nothing_kept("mine", settings(), {**account, "kept": {"clips": 4}, "dropped": {}}, "val")
    assert "4 of 4 clips kept, none of them in val; split.val is 0." in str(held) and "Raise split.val" in str(held)


def test_nothing_to_train_on_is_mended_by_holding_out_less():
    account = {"source": {"clips": 4}, "kept": {"clips": 4}, "clipless": {}, "warned": {}, "dropped": {}}
    all_held_out = settings(split={"val": ["*"], "test": 0.25})
    said = str(nothing_kept("mine", all_held_out, account, "train"))
    assert "none of them in train; split.val is [*] and split.test is 0.25." in said and "Hold out less, or" in said
    account["dropped"] = {"subset": {"clips": 2}}
    assert "Take a larger subset, or" in str(nothing_kept("mine", all_held_out, account, "train"))
    assert "split.val is [*]." in str(nothing_kept("mine", all_held_out, account, "val"))
