import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError
from tables_of_clips import MANY, corpus, settings

from kaiku.errors import KaikuError, SettingsError
from kaiku.selection import COLUMNS, Bounds, DatasetSettings, SplitSettings, account, decide, widened
from kaiku.strict import key_params


def whole(recording, status, recording_s):
    """The segments row of a recording that gave no clip."""
    nothing = dict.fromkeys(("clip", "start_s", "end_s", "error"))
    row = {"item": recording, "key": "k", "status": status, "recording": recording, "recording_s": recording_s}
    return {**nothing, **row, "speaker": "s", "language": "fi"}


def reasons(frame):
    return dict(zip(frame["clip"].fillna(frame["recording"]), frame["reason"]))


def test_everything_is_kept_where_nothing_is_asked():
    tables = corpus(["a", "b"])
    frame = decide(*tables, settings(), recordings_total=MANY)
    assert tuple(frame.columns) == COLUMNS and len(frame) == 6
    assert frame["kept"].all() and set(frame["reason"]) == {""} and set(frame["split"]) == {"train"}
    assert list(frame["clip"]) == list(tables[0]["clip"])
    assert list(frame["duration_s"]) == [2.0, 1.5, 4.5] * 2
    assert frame["text"][0] == "teksti a-0"


def test_raw_text():
    frame = decide(*corpus(["a"]), settings(text="raw"), recordings_total=MANY)
    assert frame["text"][0] == "Raaka – a-0"


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"duration_s": [2, 4.5]}, ["", "duration_s_low", ""]),  # ends included
        ({"duration_s": [None, 2]}, ["", "", "duration_s_high"]),
        ({"duration_s": {"min": 4.5}}, ["duration_s_low", "duration_s_low", ""]),
        ({"snr_db": [20, None]}, ["snr_db_low", "", ""]),
        ({"confidence": [0.5, 1]}, ["", "", "confidence_low"]),
        ({"hum_db": {"max": 12}}, ["", "hum_db_high", ""]),  # not measured in the others
        ({"hum_db": {"max": 12, "required": True}}, ["hum_db_not_measurable", "hum_db_high", "hum_db_not_measurable"]),
        ({"hum_db": {"required": True}}, ["hum_db_not_measurable", "", "hum_db_not_measurable"]),
        ({"snr_db": [20, 50], "duration_s": [3, 9]}, ["duration_s_low", "duration_s_low", ""]),  # in alphabetical order
    ],
)
def test_bounds(select, expected):
    segments, transcripts, measures = corpus(["a"])
    measures["snr_db"], measures["hum_db"] = [10.0, 30.0, np.nan], [np.nan, 20.0, np.nan]
    transcripts["confidence"] = [0.5, np.nan, 0.4]
    frame = decide(segments, transcripts, measures, settings(select=select), recordings_total=MANY)
    assert list(frame["reason"]) == expected
    assert list(frame["kept"]) == [reason == "" for reason in expected]
    assert all(not text for text in frame["text"][~frame["kept"]]) and set(frame["split"][~frame["kept"]]) <= {""}


def test_order_of_bounds_in_the_configuration_does_not_matter():
    bounds = {"snr_db": Bounds(min=99), "duration_s": Bounds(min=99)}
    frames = [
        decide(*corpus(["a"]), settings(select=dict(order)), recordings_total=MANY)
        for order in (bounds.items(), reversed(bounds.items()))
    ]
    pd.testing.assert_frame_equal(*frames)


def test_first_reason_wins():
    segments, transcripts, measures = corpus(["a", "b"])
    segments = pd.concat([segments, pd.DataFrame([whole("c", "empty", 7.0), whole("d", "failed", None)])])
    transcripts.loc[0, "status"] = "failed"
    transcripts.loc[[0, 1], "text"] = None
    transcripts.loc[2, "text"] = "  "
    measures.loc[[0, 1, 3], "status"] = "failed"
    measures.loc[[0, 1, 3], "snr_db"] = np.nan
    measures.loc[4, "snr_db"] = 1.0
    asked = settings(select={"snr_db": {"min": 20, "required": True}})
    assert reasons(decide(segments, transcripts, measures, asked, recordings_total=MANY)) == {
        "a-0": "failed:transcribe",
        "a-1": "no_text",
        "a-2": "no_text",
        "b-0": "failed:measure",
        "b-1": "snr_db_low",
        "b-2": "",
        "c": "no_clip",
        "d": "failed:segment",
    }


def test_a_failed_stage_counts_only_where_it_is_asked():
    segments, transcripts, measures = corpus(["a"])
    measures["status"], transcripts["status"], transcripts["text"] = "failed", "failed", None
    free = settings(require_text=False, select={"duration_s": [2, None]})
    frame = decide(segments, transcripts, measures, free, recordings_total=MANY)
    assert list(frame["reason"]) == ["", "duration_s_low", ""] and set(frame["text"]) == {""}
    unsure = settings(require_text=False, select={"confidence": [0.1, None]})
    assert set(decide(segments, transcripts, measures, unsure, recordings_total=MANY)["reason"]) == {
        "failed:transcribe"
    }


def test_rows_of_the_tables_are_found_by_clip_not_by_place():
    segments, transcripts, measures = corpus(["a", "b"])
    measures["snr_db"] = [1.0, 30, 30, 30, 30, 1.0]
    asked = settings(select={"snr_db": [20, None]})
    expected = decide(segments, transcripts, measures, asked, recordings_total=MANY)
    mixed = decide(segments, transcripts[::-1], measures.sample(frac=1, random_state=1), asked, recordings_total=MANY)
    pd.testing.assert_frame_equal(mixed, expected)
    assert list(expected["kept"]) == [False, True, True, True, True, False]


def test_inputs_stay_as_they_are():
    tables = corpus(["a"])
    copies = [table.copy() for table in tables]
    decide(*tables, settings(select={"snr_db": [99, None]}), recordings_total=1)
    for table, copy in zip(tables, copies):
        pd.testing.assert_frame_equal(table, copy)


def test_an_unknown_measure_is_named_with_the_nearest():
    with pytest.raises(SettingsError, match=r"select\.snr_bd.*Did you mean snr_db\?"):
        decide(*corpus(["a"]), settings(select={"snr_bd": [1, 2]}), recordings_total=MANY)
    with pytest.raises(SettingsError, match=r"select\.status"):
        decide(*corpus(["a"]), settings(select={"status": [1, 2]}), recordings_total=MANY)


def test_tables_that_do_not_fit_are_refused():
    segments, transcripts, measures = corpus(["a"])
    with pytest.raises(KaikuError, match="transcripts: no row for 1 of 3 clips, the first of them a-1"):
        decide(segments, transcripts.drop(index=1), measures, settings(), recordings_total=MANY)
    with pytest.raises(KaikuError, match="measures: clip a-2 stands there twice"):
        twice = pd.concat([measures, measures[2:]])
        decide(segments, transcripts, twice, settings(), recordings_total=MANY)


def test_an_empty_shard():
    segments, transcripts, measures = corpus(["a"])
    frame = decide(segments[:0], transcripts[:0], measures[:0], settings(select={"snr_db": [1, 2]}), recordings_total=0)
    assert tuple(frame.columns) == COLUMNS and len(frame) == 0
    assert account(frame)["source"] == {"seconds": 0.0, "clips": 0}


def test_a_shard_without_any_clip_as_read_from_parquet():
    text, number = pa.string(), pa.float64()
    clip_columns = [("clip", text), ("status", text), ("error", text)]
    segments = pa.schema([(name, number if name.endswith("_s") else text) for name in (*whole("x", "", 0.0),)])
    rows = [whole("x", "failed", None), whole("y", "empty", 4.0)]
    frame = decide(
        pa.Table.from_pylist(rows, segments).to_pandas(),
        pa.schema([*clip_columns, ("text_raw", text), ("text", text), ("confidence", number)])
        .empty_table()
        .to_pandas(),
        pa.schema([*clip_columns, ("snr_db", number)]).empty_table().to_pandas(),
        settings(select={"snr_db": [1, 2]}, split={"val": 0.2}),
        recordings_total=2,
    )
    assert list(frame["reason"]) == ["failed:segment", "no_clip"]
    assert list(frame["duration_s"]) == [0.0, 4.0] and set(frame["text"]) == {""}


# Accounts


def test_sums_balance():
    segments, transcripts, measures = corpus([f"r{i}" for i in range(5)])
    segments = pd.concat([segments, pd.DataFrame([whole("x", "empty", 7.0), whole("y", "failed", 3.0)])])
    measures["snr_db"] = [10.0, 30, 30] * 5
    transcripts.loc[[1, 2], "text"] = ""
    asked = settings(select={"snr_db": [20, None], "duration_s": [None, 4]}, split={"val": 0.3})
    frame = decide(segments, transcripts, measures, asked, recordings_total=MANY)
    sums = account(frame)
    assert sums["source"] == {"seconds": 5 * 10.0 + 7.0 + 3.0, "clips": 15}
    assert sums["dropped"] == {
        "duration_s_high": {"seconds": 4 * 4.5, "clips": 4},
        "failed:segment": {"seconds": 3.0, "clips": 0},
        "no_clip": {"seconds": 7.0, "clips": 0},
        "no_text": {"seconds": 1.5 + 4.5, "clips": 2},
        "snr_db_low": {"seconds": 5 * 2.0, "clips": 5},
    }
    assert sums["kept"] == {"seconds": 4 * 1.5, "clips": 4}
    assert sums["outside"] == {"seconds": 5 * (10.0 - 8.0), "clips": 0}
    parts = [sums["kept"], sums["outside"], *sums["dropped"].values()]
    assert sum(p["seconds"] for p in parts) == sums["source"]["seconds"]
    assert sum(p["clips"] for p in parts) == sums["source"]["clips"]
    assert sum(p["seconds"] for p in sums["splits"].values()) == sums["kept"]["seconds"]
    assert sum(p["clips"] for p in sums["splits"].values()) == sums["kept"]["clips"]


def test_accounts_of_joined_shards():
    one, two = (decide(*corpus(names), settings(), recordings_total=MANY) for names in (["a", "b"], ["c"]))
    both = decide(*corpus(["a", "b", "c"]), settings(), recordings_total=MANY)
    assert account(pd.concat([one, two])) == account(both)


# Settings


def test_both_forms_of_a_range_are_one():
    short, long = Bounds.model_validate([1, None]), Bounds.model_validate({"min": 1})
    assert short == long
    assert key_params(short) == {"min": 1.0, "max": None, "required": False, "languages": {}}


@pytest.mark.parametrize(
    "value",
    [
        [1],
        [1, 2, 3],
        [2, 1],
        [None, None],
        {},
        {"mni": 1},
        "1..2",
        [float("nan"), 1],
        [1, float("inf")],
        {"languages": {"fi": [float("-inf"), 1]}},
    ],
)
def test_a_range_that_means_nothing_is_refused(value):
    with pytest.raises(ValidationError):
        Bounds.model_validate(value)


@pytest.mark.parametrize(
    "split", [{"val": 1.0}, {"val": 0.6, "test": 0.5}, {"val": -0.1}, {"by": "file"}, {"val": "a*"}]
)
def test_a_split_that_means_nothing_is_refused(split):
    with pytest.raises(ValidationError):
        SplitSettings.model_validate(split)


def test_the_schema_knows_both_forms():
    schema = DatasetSettings.model_json_schema()
    forms = schema["$defs"]["Bounds"]["anyOf"]
    assert [form.get("type", form.get("const")) for form in forms] == ["object", "array", "usual"]


def test_import_is_light():
    heavy = "torch pandas scipy pyarrow"
    code = f"import sys, kaiku.selection; print([m for m in {heavy.split()!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_measures_become_one_row_per_clip():
    long = pd.DataFrame(
        [
            ("b", "ok", "hum_db", 3.0),
            ("b", "ok", "rms_db", None),
            ("a", "ok", "hum_db", 1.0),
            ("a", "failed", None, None),
            ("c", "failed", None, None),
        ],
        columns=["clip", "status", "measure", "value"],
    )
    wide = widened(long, {"rms_db", "hum_db", "snr_db"})
    assert list(wide.columns) == ["clip", "status", "hum_db", "rms_db", "snr_db"]
    assert list(wide["clip"]) == ["b", "a", "c"] and list(wide["status"]) == ["ok", "failed", "failed"]
    assert wide["hum_db"].tolist()[:2] == [3.0, 1.0]
    assert wide[["rms_db", "snr_db"]].isna().all(axis=None) and wide["hum_db"].isna().tolist() == [False, False, True]
