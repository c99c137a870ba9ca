"""What a dataset takes of derived clips: those made from what it trains on, drawn once, with their source's text."""

import pandas as pd
import pytest
from tables_of_clips import MANY, settings, tables

from kaiku.augmentation.follow import derived_clip, retold, untrained
from kaiku.review.decisions import TEXT, Decision, Reviewed, corrected
from kaiku.selection import decide

CLIPS = [(f"r{n:03d}", 10.0 * k, 10.0 * k + 2, f"s{n % 20}") for n in range(100) for k in range(3)]


def both(own, clips=CLIPS, speaker=None, edit=lambda transcripts: transcripts, shards=1):
    """The decisions on some clips, and on those derived from them."""
    segments, transcripts, measures = tables(clips)
    source = decide(segments, edit(transcripts), measures, own, recordings_total=MANY, shards=shards)
    for table in (segments, transcripts, measures):
        table["clip"] = [derived_clip(clip, "slow") for clip in table["clip"]]
    segments["speaker"] = speaker or segments["speaker"]
    left = untrained(segments["clip"], source)
    of = {"recordings_total": MANY, "untrained": left, "shards": shards}
    return source, retold(decide(segments, transcripts, measures, own.of_derived(), **of), source)


def trained(frame):
    return set(frame.loc[frame["split"] == "train", "clip"].str.removesuffix("~slow"))


@pytest.mark.parametrize(
    "subset, speaker",
    [
        ({"share": 0.25, "by": "clip"}, None),
        ({"share": 0.25, "by": "recording"}, None),
        ({"share": 0.5, "by": "speaker"}, "slow voice"),
        ({"share": 0.5, "by": "clip", "of": "all"}, None),
    ],
)
def test_a_share_is_drawn_once(subset, speaker):
    source, derived = both(settings(subset=subset, split={"val": 0.2}), speaker=speaker)
    assert 0 < len(trained(source)) < len(CLIPS)
    assert trained(derived) == trained(source) and set(derived["reason"]) == {"", "source_not_train"}


def test_hours_are_filled_with_what_may_be_trained_on():
    own = settings(subset={"hours": 200 / 3600}, split={"val": 0.5})
    source, derived = both(own, shards=2)
    assert source.loc[source["split"] == "train", "duration_s"].sum() == 100
    assert derived.loc[derived["kept"], "duration_s"].sum() == 100 and trained(derived) == trained(source)


def test_a_derived_clip_has_the_corrected_text_of_a_source_that_had_none():
    decision = Decision("d", "r1", 0, 2000, TEXT, "uusi 3 kpl")

    def corrects(transcripts):
        transcripts.loc[1, ["text", "text_raw"]] = ""
        transcripts["language"] = "fi"
        return corrected(transcripts, Reviewed({"r1-0": decision}), {})

    _, derived = both(settings(), [("r0", 0, 2), ("r1", 0, 2)], edit=corrects)
    assert list(derived["text"]) == ["teksti", "uusi kolme kappaletta"] and list(derived["reason"]) == ["", ""]


def test_bounds_are_asked_before_the_source_and_people_after_them():
    segments, transcripts, measures = tables([("a", 0, 9), ("b", 0, 9), ("c", 0, 1), ("d", 0, 1)])
    listened = {"keep": {"a-0"}, "reject": {"b-0", "c-0"}, "untrained": {"c-0", "d-0"}}
    own = settings(select={"duration_s": [None, 5]})
    frame = decide(segments, transcripts, measures, own, recordings_total=MANY, **listened)
    assert list(frame["reason"]) == ["", "duration_s_high", "review_rejected", "source_not_train"]
    assert isinstance(frame, pd.DataFrame) and list(frame["text"]) == ["teksti", "", "", ""]
