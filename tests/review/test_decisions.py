from functools import partial

import pandas as pd
import pytest

from kaiku.review import decisions
from kaiku.review.decisions import KEEP, NONE, REJECT, TEXT, TOLERANCE_MS, Decision, match
from kaiku.selection import DatasetSettings, decide

CONTENTS = {"a": "digest-a", "b": "digest-b"}
CLIPS = [("a@1", "a", 0.0, 1.0), ("a@2", "a", 2.0, 3.5), ("b", "b", 0.0, 4.0)]


def decision(recording="a", start_ms=0, end_ms=1000, verdict=KEEP, **fields):
    return Decision(f"digest-{recording}", recording, start_ms, end_ms, verdict, **{"time": "2026-01-01", **fields})


def frames():
    """Clips of which every second one is too long, one has no text, and one failed to be transcribed."""
    clips = [f"c{i}" for i in range(6)]
    segments = pd.DataFrame({"clip": clips, "recording": clips, "speaker": "s", "language": "fi", "status": "ok"})
    segments["start_s"], segments["end_s"] = 0.0, [1.0, 9.0, 1.0, 9.0, 1.0, 1.0]
    segments["recording_s"] = segments["end_s"]
    transcripts = pd.DataFrame({"clip": clips, "text": "vanha", "text_raw": "Vanha", "confidence": 1.0, "status": "ok"})
    transcripts["language"] = "fi"
    transcripts.loc[4, ["text", "text_raw"]] = ""
    transcripts.loc[5, "status"] = "failed"
    return segments, transcripts, pd.DataFrame({"clip": clips, "status": "ok"})


def selected(made, tag="fi", heard="fi", **values):
    segments, transcripts, measures = frames()
    transcripts["language"] = heard
    own = DatasetSettings(corpora=("x",), **{"select": {"duration_s": [0, 5]}, "split": {"val": 0}, **values})
    clips = zip(segments["clip"], segments["recording"], segments["start_s"], segments["end_s"])
    contents = {clip: f"digest-{clip}" for clip in segments["clip"]}
    frame = decisions.select(
        partial(decide, segments, measures=measures, settings=own, recordings_total=6),
        transcripts,
        match(clips, contents, made),
        dict.fromkeys(segments["clip"], tag),
    )
    return frame.set_index("clip")


def of(clip, verdict, **fields):
    return decision(clip, 0, 9000 if clip in ("c1", "c3") else 1000, verdict, **fields)


def test_without_decisions_nothing_changes_but_an_empty_column():
    frame = selected([])
    assert list(frame["review"]) == [""] * 6
    assert list(frame["reason"]) == ["", "duration_s_high", "", "duration_s_high", "no_text", "failed:transcribe"]


def test_verdicts_win_over_bounds():
    frame = selected([of("c1", KEEP), of("c0", REJECT), of("c2", TEXT, text="Uusi 3 kpl")])
    assert list(frame["kept"]) == [False, True, True, False, False, False]
    assert list(frame.loc[["c0", "c1", "c2"], "reason"]) == ["review_rejected", "", ""]
    assert list(frame.loc[["c0", "c1", "c2"], "split"]) == ["", "train", "train"]
    assert list(frame.loc[["c0", "c1", "c2"], "review"]) == ["reject", "keep", "text"]
    assert frame.loc["c1", "text"] == "vanha" and frame.loc["c0", "text"] == ""
    assert frame.loc["c2", "text"] == "Uusi kolme kappaletta"
    assert selected([of("c2", TEXT, text="Uusi 3 kpl")], text="raw").loc["c2", "text"] == "Uusi 3 kpl"


def test_a_correction_leaves_the_bounds_their_say_and_gives_a_text_where_none_was():
    frame = selected([of("c1", TEXT, text="toinen"), of("c4", TEXT, text="annettu"), of("c3", KEEP, text="kolmas")])
    assert frame.loc["c1", "reason"] == "duration_s_high"
    assert frame.loc["c4", "kept"] and frame.loc["c4", "text"] == "annettu"
    assert frame.loc["c3", "kept"] and frame.loc["c3", "text"] == "kolmas"


@pytest.mark.parametrize(
    ("tag", "heard", "text"),
    [
        ("pt-PT", "pt", "dezasseis"),
        ("pt-BR", "pt", "dezesseis"),
        ("und", "pt", "dezesseis"),
        ("fi", "pt-PT", "dezasseis"),
        ("pt-PT", None, "dezasseis"),
        ("und", None, "16"),
    ],
)
def test_a_correction_is_spelt_as_a_transcript_would_be(tag, heard, text):
    frame = selected([of("c0", TEXT, text="16"), of("c2", KEEP, text="16")], tag=tag, heard=heard)
    assert list(frame.loc[["c0", "c2"], "text"]) == [text, text]


def test_keeping_overrides_no_failure_and_makes_no_text():
    frame = selected([of("c4", KEEP), of("c5", KEEP), of("c5", KEEP, text="sanottu", time="2027")])
    assert list(frame.loc[["c4", "c5"], "reason"]) == ["no_text", "failed:transcribe"]
    assert not frame.loc[["c4", "c5"], "kept"].any()


def test_what_people_keep_and_reject_counts_in_a_subset_by_hours():
    """Clips of 1 s or, where the number is odd, of 9 s that the bound drops."""
    plain = selected([], subset={"hours": 2 / 3600})
    assert set(plain.index[plain["kept"]]) == {"c0", "c2"}
    kept = selected([of("c3", KEEP)], subset={"hours": 9 / 3600}, select={"duration_s": [2, 5]})
    assert list(kept.index[kept["kept"]]) == ["c3"], "what the bounds drop takes no place from it"
    rejected = selected([of("c0", REJECT)], subset={"hours": 1 / 3600})
    assert list(rejected.index[rejected["kept"]]) == ["c2"] and rejected.loc["c0", "reason"] == "review_rejected"


def test_keeping_makes_no_room_beyond_the_hours():
    made = [of(clip, KEEP) for clip in ("c1", "c3")]
    assert selected(made, subset={"hours": 10 / 3600}).query("kept")["duration_s"].sum() <= 10


def test_a_reason_that_held_before_a_rejection_stays():
    assert selected([of("c1", REJECT)]).loc["c1", "reason"] == "duration_s_high"


@pytest.mark.parametrize("moved_ms, applies", [(0, True), (TOLERANCE_MS, True), (TOLERANCE_MS + 1, False)])
def test_a_cut_may_move_by_the_tolerance(moved_ms, applies):
    found = match(CLIPS, CONTENTS, [decision(start_ms=2000 + moved_ms, end_ms=3500 - moved_ms)])
    assert set(found.by_clip) == ({"a@2"} if applies else set())
    assert [lapsed.why for lapsed in found.lapsed] == ([] if applies else ["its recording was cut otherwise"])


def test_what_no_longer_applies_is_told_with_the_reason():
    edited = Decision("another", "a", 0, 1000, REJECT)
    gone = decision("c")
    found = match(CLIPS, CONTENTS, [edited, gone, decision("b", 0, 4000), decision("c", 5, 6, NONE)])
    assert {lapsed.decision: lapsed.why for lapsed in found.lapsed} == {
        edited: "its recording was edited",
        gone: "its recording is no longer in the corpus",
    }
    assert set(found.by_clip) == {"b"}


def test_the_latest_counts_in_whatever_order_they_stand():
    made = [
        decision(verdict=KEEP, time="2026-01-02"),
        decision(verdict=REJECT, time="2026-01-03"),
        decision(verdict=TEXT, text="x", time="2026-01-01"),
    ]
    for order in (made, made[::-1]):
        assert match(CLIPS, CONTENTS, order).by_clip["a@1"].verdict == REJECT
    near = decision(start_ms=10, verdict=KEEP, time="2026-01-04")
    assert match(CLIPS, CONTENTS, [near, *made]).by_clip["a@1"] == near
    withdrawn = decision(verdict=NONE, time="2026-01-05")
    assert match(CLIPS, CONTENTS, [withdrawn, near, *made]) == decisions.Reviewed()
