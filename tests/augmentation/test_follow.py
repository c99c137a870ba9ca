"""What derived clips take over: whatever is decided of their sources, no held-out clip is trained on."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from kaiku.augmentation.follow import derived_clip, inherited, retold, source_clip, untrained
from kaiku.selection import COLUMNS

FATES = ("train", "val", "test", "dropped")


def decided(fates, corpus=""):
    """A table of decisions by clip: a split, or `dropped`."""
    rows = []
    for clip, fate in fates.items():
        kept = fate != "dropped"
        rows.append(
            {
                "clip": derived_clip(clip, corpus) if corpus else clip,
                "recording": clip.partition("@")[0],
                "speaker": "aino",
                "language": "fi",
                "duration_s": 1.5,
                "kept": kept,
                "reason": "" if kept else "hum_db_high",
                "warnings": "",
                "split": fate if kept else "",
                "text": f"text of {clip}" if kept else "",
                "recording_s": 2.0,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"kept": bool})


def test_the_name_leads_back_whatever_it_holds():
    for clip in ("a", "a~b", "puhe@00000120-00003480", "~", "päivä 1"):
        assert source_clip(derived_clip(clip, "aino-slow")) == clip


@given(
    source=st.dictionaries(st.text("abc~@-", min_size=1, max_size=4), st.sampled_from(FATES), max_size=12),
    own=st.dictionaries(st.text("abc~@-", min_size=1, max_size=4), st.sampled_from(FATES), max_size=12),
)
def test_only_what_the_source_trains_on_may_be_kept_and_says_what_it_says(source, own):
    frame, of = decided(own, "slow"), decided(source)
    left = untrained(frame["clip"], of)
    assert {source_clip(clip) for clip in left} == {clip for clip in own if source.get(clip) != "train"}
    kept = frame[frame["kept"] & ~frame["clip"].isin(left)].assign(text="before")
    assert list(retold(kept, of)["text"]) == [f"text of {source_clip(clip)}" for clip in kept["clip"]]
    dropped = frame[~frame["kept"]]
    assert list(retold(dropped, of)["text"]) == [""] * len(dropped)


def test_a_recording_without_clips_follows_nobody():
    assert untrained(pd.Series(["a~slow", None], dtype=object), decided({"a": "val"})) == {"a~slow"}


def test_texts_are_inherited_in_the_order_of_the_derived_clips():
    columns = ("item", "key", "status", "error", "clip", "text_raw", "text", "confidence", "language")
    said = {"status": "ok", "error": "", "confidence": 1.0, "language": "fi"}
    rows = [{**said, "item": c, "key": f"k{c}", "clip": c, "text_raw": f"5 {c}", "text": f"viisi {c}"} for c in "abc"]
    segments = pd.DataFrame({"clip": ["b~slow", None, "a~slow"]})
    found = inherited(segments, pd.DataFrame(rows, columns=list(columns)))
    assert found["clip"].to_list() == found["item"].to_list() == ["b~slow", "a~slow"]
    assert found["text"].to_list() == ["viisi b", "viisi a"] and found["key"].to_list() == ["kb", "ka"]
    assert list(found.columns) == list(columns)
