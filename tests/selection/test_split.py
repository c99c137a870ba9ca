"""Which clips are held out: drawn by name, so that they stay when a corpus grows, or in blocks where there are few."""

import pandas as pd
import pytest
from tables_of_clips import MANY, corpus, settings

from kaiku.selection import decide


def split_of(names, recordings_total=MANY, by="recording", **split):
    segments, transcripts, measures = corpus(names)
    frame = decide(
        segments, transcripts, measures, settings(split={"by": by, **split}), recordings_total=recordings_total
    )
    return dict(zip(frame["clip"], frame["split"]))


NAMES = [f"r{i}" for i in range(1000)]


def test_shares_by_recording_and_no_recording_in_two_splits():
    split = split_of(NAMES, val=0.1, test=0.2)
    by_recording = {name: {split[f"{name}-{i}"] for i in range(3)} for name in NAMES}
    assert all(len(splits) == 1 for splits in by_recording.values())
    counts = pd.Series([s for splits in by_recording.values() for s in splits]).value_counts()
    assert 70 <= counts["val"] <= 130 and 160 <= counts["test"] <= 240 and counts.sum() == 1000


def test_a_split_stays_when_the_corpus_grows_or_is_looked_at_in_shards():
    all_at_once = split_of(NAMES, val=0.1, test=0.2)
    part = split_of(NAMES[500:503], val=0.1, test=0.2)
    assert part == {clip: all_at_once[clip] for clip in part}


def test_another_share_of_one_split_moves_nothing_of_the_other():
    small, large = split_of(NAMES, val=0.1, test=0.1), split_of(NAMES, val=0.1, test=0.4)
    assert {c for c, s in small.items() if s == "val"} == {c for c, s in large.items() if s == "val"}
    assert {c for c, s in small.items() if s == "test"} < {c for c, s in large.items() if s == "test"}


def test_the_split_of_these_names_is_what_it_always_was():
    """Another hash would silently train on what was held out."""
    split = split_of(NAMES, val=0.1, test=0.1)
    assert [n for n in NAMES[:40] if split[f"{n}-0"] == "val"] == ["r3", "r4", "r14", "r15", "r25", "r30"]
    assert [n for n in NAMES[:40] if split[f"{n}-0"] == "test"] == ["r2", "r12", "r27", "r31"]


def test_salt_draws_another_split():
    assert split_of(NAMES, val=0.2) != split_of(NAMES, val=0.2, salt="again")


def test_by_speaker_and_by_clip():
    segments, transcripts, measures = corpus(NAMES[:200])
    segments["speaker"] = [f"s{i % 7}" for i in range(len(segments))]
    by_speaker = settings(split={"by": "speaker", "val": 0.4})
    frame = decide(segments, transcripts, measures, by_speaker, recordings_total=2)
    assert (frame.groupby("speaker")["split"].nunique() == 1).all() and set(frame["split"]) == {"train", "val"}
    frame = decide(segments, transcripts, measures, settings(split={"by": "clip", "val": 0.4}), recordings_total=MANY)
    assert (frame.groupby("recording")["split"].nunique() == 2).any()


def test_patterns_win_over_shares():
    names = ["talk--a", "talk--b", "book--a", "book--b"]
    split = split_of(names, recordings_total=4, val=("*--a",), test=("book--*",))
    assert {name: split[f"{name}-0"] for name in names} == {
        "talk--a": "val",
        "talk--b": "train",
        "book--a": "test",
        "book--b": "test",
    }
    assert "gap" not in split.values() and "" not in split.values()
    mixed = split_of(NAMES, val=("r7",), test=0.3)
    assert mixed["r7-0"] == "val" and [c for c, s in mixed.items() if s == "val"] == ["r7-0", "r7-1", "r7-2"]


def blocks(cut, length_s=100.0, **split):
    segments, transcripts, measures = corpus(["a"], cut=cut, length_s=length_s)
    frame = decide(segments, transcripts, measures, settings(split=split), recordings_total=5)
    assert all(frame["reason"].eq("split_gap") == ~frame["kept"])
    return ["gap" if reason else split for split, reason in zip(frame["split"], frame["reason"])]


def test_few_recordings_are_cut_into_blocks():
    seconds = [(i, i + 1) for i in range(100)]
    assert blocks(seconds, val=0.1) == ["train"] * 90 + ["gap"] + ["val"] * 9
    assert blocks(seconds, val=0.1, test=0.2) == ["train"] * 70 + ["gap"] + ["val"] * 9 + ["gap"] + ["test"] * 19
    assert blocks(seconds, val=0.0, test=0.2) == ["train"] * 80 + ["gap"] + ["test"] * 19
    assert blocks(seconds, val=0.0) == ["train"] * 100


def test_blocks_go_by_time_not_by_count():
    assert blocks([(0, 60), (60, 62), (62, 64), (64, 70), (70, 100)], val=0.3) == ["train"] * 3 + ["gap", "val"]


def test_a_border_in_a_long_last_clip_still_holds_something_out():
    assert blocks([(0, 1), (1, 2), (2, 100)], val=0.05) == ["train", "gap", "val"]


@pytest.mark.parametrize("clips", [1, 2])
def test_too_short_to_divide_is_all_train(clips):
    assert blocks([(i, i + 1) for i in range(clips)], val=0.5) == ["train"] * clips


def test_blocks_do_not_depend_on_order_shard_or_thresholds():
    segments, transcripts, measures = corpus(["a", "b"], cut=[(i, i + 1) for i in range(20)], length_s=20.0)
    held = settings(split={"val": 0.2})
    frame = decide(segments, transcripts, measures, held, recordings_total=2)
    expected = frame.set_index("clip")[["split", "reason"]]
    mixed = decide(segments.sample(frac=1, random_state=3), transcripts, measures, held, recordings_total=2)
    pd.testing.assert_frame_equal(mixed.set_index("clip").loc[expected.index][["split", "reason"]], expected)
    alone = decide(segments[20:], transcripts, measures, held, recordings_total=2)
    pd.testing.assert_frame_equal(alone.set_index("clip")[["split", "reason"]], expected[20:])
    measures.loc[::3, "snr_db"] = 0.0
    strict = settings(split={"val": 0.2}, select={"snr_db": [1, None]})
    kept = decide(segments, transcripts, measures, strict, recordings_total=2).set_index("clip")
    kept = kept[kept["kept"]]
    pd.testing.assert_series_equal(kept["split"], expected["split"][kept.index])


def test_six_recordings_are_drawn_whole():
    names = NAMES[:6]
    split = split_of(names, recordings_total=6, val=0.4)
    assert all(len({split[f"{n}-{i}"] for i in range(3)}) == 1 for n in names)
    assert "gap" not in split.values()
