"""What stays as it is while a corpus grows: splits, subsets, and what nobody may hear."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tables_of_clips import decided

from kaiku.selection import FEW_RECORDINGS, SubsetSettings, account, account_ms, added

clips = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 4), st.integers(1, 8)),
    min_size=1,
    max_size=40,
    unique_by=lambda c: c[:2],
).map(lambda found: [(f"r{r:02d}", 10.0 * n, 10.0 * n + length, f"s{r % 7}") for r, n, length in sorted(found)])
shares = st.floats(0.01, 0.6)


@given(clips, clips, shares, st.sampled_from(["recording", "speaker", "clip"]))
@hypothesis_settings(deadline=None, max_examples=40)
def test_more_clips_move_none_from_split_to_split_and_nothing_leaks(some, more, share, by):
    known = {clip[:2] for clip in some}
    grown = sorted([*some, *(clip for clip in more if clip[:2] not in known)])
    both = [decided(of, split={"by": by, "val": share / 2, "test": share / 2}) for of in (some, grown)]
    before, after = (frame.set_index(frame["recording"] + frame["duration_s"].astype(str)) for frame in both)
    assert both[1].groupby(by)["split"].nunique().max() == 1
    if by != "clip":  # whose names are numbers here, and move as clips come
        pairs = set(zip(before.index, before["split"]))
        assert pairs <= set(zip(after.index, after["split"]))


@given(clips, st.floats(0.05, 0.95), st.floats(0.05, 1.0))
@hypothesis_settings(deadline=None, max_examples=40)
def test_a_smaller_share_lies_within_a_larger_one(some, small, ratio):
    split = {"val": 0.3}
    whole = decided(some, split=split)
    large = decided(some, split=split, subset={"share": small})
    less = decided(some, split=split, subset={"share": small * ratio})
    assert kept(less) <= kept(large) <= kept(whole)
    held_out = whole[whole["split"] == "val"].index
    assert set(held_out) <= kept(less), "what is held out stays whole"
    assert set(large["reason"]) <= {"", "subset"}


@given(clips, clips, st.floats(0.001, 0.02), st.floats(0.1, 1.0), st.integers(1, 4))
@hypothesis_settings(deadline=None, max_examples=40)
def test_fewer_hours_lie_within_more_and_are_never_too_many(some, more, hours, ratio, shards):
    large, less = (decided(some, subset={"hours": h}, shards=shards) for h in (hours, hours * ratio))
    assert kept(less) <= kept(large)
    assert large.loc[large["kept"], "duration_s"].sum() <= hours * 3600 / shards
    left = large[large["reason"] == "subset"]
    if len(left):
        spare_s = hours * 3600 / shards - large.loc[large["kept"], "duration_s"].sum()
        assert spare_s < left["duration_s"].max(), "it is filled up"


def kept(frame: pd.DataFrame) -> set[str]:
    return set(frame.loc[frame["kept"], "clip"])


def test_a_share_is_about_that_share_of_recordings_and_the_same_in_a_shard():
    some = [(f"r{n}", 0, 5) for n in range(1000)]
    frame = decided(some, subset={"share": 0.25})
    assert 200 <= len(kept(frame)) <= 300
    alone = decided(some[100:140], subset={"share": 0.25})
    assert kept(alone) == kept(frame) & set(alone["clip"])
    other = decided(some, subset={"share": 0.25, "salt": "again"})
    assert kept(other) != kept(frame)


def test_a_subset_is_drawn_apart_from_the_split():
    """Were both drawn by the same number, a quarter of training would hold no clip next to those held out."""
    some = [(f"r{n}", 0, 5) for n in range(2000)]
    frame = decided(some, split={"val": 0.2, "test": 0.2}, subset={"share": 0.5, "of": "all"})
    counts = frame.loc[frame["kept"], "split"].value_counts()
    assert 140 <= counts["val"] <= 260 and 140 <= counts["test"] <= 260 and 520 <= counts["train"] <= 680


@pytest.mark.parametrize(
    "values", [{}, {"share": 0.5, "hours": 1}, {"share": 0}, {"share": 1.5}, {"hours": 0}, {"hours": 1, "of": "all"}]
)
def test_subsets_that_mean_nothing_are_refused(values):
    with pytest.raises(ValidationError):
        SubsetSettings(**values)


@given(clips)
@hypothesis_settings(deadline=None, max_examples=40)
def test_the_account_balances_to_the_millisecond(some):
    third = [(r, a + 1 / 3, b + 2 / 3, s) for r, a, b, s in some]
    frame = decided(third, select={"duration_s": [2.5, None]}, warn={"duration_s": [4, None]}, split={"val": 0.3})
    sums = account_ms(account(frame))
    parts = [sums["kept"], sums["outside"], *sums["dropped"].values()]
    assert sum(part["ms"] for part in parts) == sums["source"]["ms"] + sums["overlap"]["ms"]
    assert sum(part["clips"] for part in parts) == sums["source"]["clips"] == len(some)
    assert sum(part["ms"] for part in sums["splits"].values()) == sums["kept"]["ms"]
    by_recording = frame.groupby("recording").agg({"recording_s": "first", "duration_s": "sum"})
    between = (by_recording["recording_s"] - by_recording["duration_s"]).clip(lower=0).sum()
    assert abs(sums["outside"]["ms"] - between * 1000) <= len(parts)


def test_time_in_two_clips_is_told_and_balances():
    frame = decided([("a", 0, 6), ("a", 2, 8), ("b", 0, 3)])
    sums = account(frame)
    assert sums["overlap"] == {"seconds": 3.0, "clips": 0} and sums["outside"]["seconds"] == 1.0
    assert sums["source"]["seconds"] + 3.0 == sums["kept"]["seconds"] + 1.0


def test_within_a_recording_gaps_and_overlaps_are_net():
    sums = account(decided([("a", 0, 4), ("a", 2, 6)]).assign(recording_s=10.0))
    assert sums["outside"]["seconds"] == 2.0 and sums["overlap"]["seconds"] == 0.0


def test_corpora_whose_recordings_have_the_same_names_are_added_apart():
    one, two = account(decided([("a", 0, 4)])), account(decided([("a", 0, 9)], select={"duration_s": [None, 5]}))
    both = added([one, two])
    assert both["source"] == {"seconds": 15.0, "clips": 2} and both["kept"] == {"seconds": 4.0, "clips": 1}
    assert both["dropped"] == {"duration_s_high": {"seconds": 9.0, "clips": 1}}
    assert both["splits"]["train"]["clips"] == 1 and added([]) == account(decided([("a", 0, 1)])[:0])


def test_who_took_the_consent_back_is_left_out_before_anything_else():
    some = [("a", 0, 4, "kai"), ("b", 0, 1, "kai"), ("c", 0, 4, "aino")]
    frame = decided(some, select={"duration_s": [2, None]}, withdrawn=["kai", "nobody"])
    assert list(frame["reason"]) == ["consent_withdrawn", "consent_withdrawn", ""]
    assert set(frame.loc[frame["speaker"] == "kai", "text"]) == {""}


def test_withdrawing_moves_nobody_elses_clips():
    some = [(f"r{n}", 0, 4, f"s{n % 5}") for n in range(FEW_RECORDINGS + 20)]
    before, after = (decided(some, split={"val": 0.3}, withdrawn=who) for who in ([], ["s1"]))
    others = before["speaker"] != "s1"
    pd.testing.assert_frame_equal(before[others], after[others])
