"""Bounds by corpus and by language, and bounds that only warn."""

import numpy as np
import pytest
from pydantic import ValidationError
from tables_of_clips import MANY, settings, tables

from kaiku.errors import SettingsError
from kaiku.selection import Bounds, DatasetSettings, account, decide

CLIPS = [("a", 0, 1), ("a", 2, 5), ("b", 0, 9)]


def dataset(**values) -> DatasetSettings:
    return DatasetSettings(corpora=("one", "two"), **values)


def fates(own, snr_db=(30, 30, 30)):
    segments, transcripts, measures = tables(CLIPS)
    measures["snr_db"] = np.array(snr_db, dtype=float)
    frame = decide(segments, transcripts, measures, own, recordings_total=MANY)
    return list(frame["reason"]), list(frame["warnings"])


def test_bounds_of_a_corpus_are_laid_over_those_of_the_dataset():
    own = dataset(
        select={"duration_s": [2, 20], "snr_db": {"min": 10}},
        warn={"snr_db": {"min": 20}},
        per_corpus={"two": {"select": {"duration_s": [None, 6], "snr_db": None}, "warn": {"hum_db": {"max": 12}}}},
    )
    assert own.of("one").select == own.select and own.of("one").warn == own.warn
    assert own.of("two").select == {"duration_s": Bounds(max=6)}
    assert own.of("two").warn == {"snr_db": Bounds(min=20), "hum_db": Bounds(max=12)}
    assert own.of("two").of("two") == own.of("two"), "nothing is left to be laid over"
    assert set(own.bounds()) == {"select", "warn", "per_corpus.two.select", "per_corpus.two.warn"}


def test_the_same_clip_in_both_corpora():
    own = dataset(select={"duration_s": [2, 20]}, per_corpus={"two": {"select": {"duration_s": [None, 6]}}})
    assert fates(own.of("one"))[0] == ["duration_s_low", "", ""]
    assert fates(own.of("two"))[0] == ["", "", "duration_s_high"]


@pytest.mark.parametrize("values", [{"per_corpus": {"three": {}}}, {"corpora": ["one", "one"]}])
def test_corpora_that_mean_nothing_are_refused(values):
    with pytest.raises(ValidationError, match=r"draws from one, two only|one stands there twice"):
        DatasetSettings(**{"corpora": ["one", "two"], **values})


def test_a_warning_keeps_the_clip_and_is_counted():
    own = settings(warn={"duration_s": [2, 6], "snr_db": {"min": 20, "required": True}}, select={"snr_db": [10, None]})
    reasons, warnings = fates(own, snr_db=(15, 5, np.nan))
    assert reasons == ["", "snr_db_low", ""]
    assert warnings == ["duration_s_low,snr_db_low", "", "duration_s_high,snr_db_not_measurable"]
    frame = decide(*tables(CLIPS), own, recordings_total=MANY)
    sums = account(frame)
    assert sums["warned"] == {
        "duration_s_high": {"seconds": 9.0, "clips": 1},
        "duration_s_low": {"seconds": 1.0, "clips": 1},
    }
    assert sums["kept"]["clips"] == 3


def test_a_check_that_broke_drops_nothing_where_it_only_warns():
    segments, transcripts, measures = tables(CLIPS)
    measures["status"] = "failed"
    warned = decide(segments, transcripts, measures, settings(warn={"snr_db": [20, None]}), recordings_total=MANY)
    assert warned["kept"].all()


def test_a_measure_nobody_takes_is_named_with_the_setting():
    with pytest.raises(SettingsError, match=r"warn\.snr_bd.*Did you mean snr_db\?"):
        fates(settings(warn={"snr_bd": [1, 2]}))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fi", (8, 25)),
        ("pt", (9, 24)),
        ("pt-BR", (9, 24)),
        ("pt-PT", (7, None)),
        ("PT-pt-x-lisboa", (7, None)),
        ("te", (1, 40)),
        ("", (1, 40)),
        (None, (1, 40)),
    ],
)
def test_bounds_of_the_longest_tag_that_fits(language, expected):
    bounds = Bounds(min=1, max=40, languages={"fi": (8, 25), "pt": (9, 24), "pt-pt": (7, None)})
    assert bounds.of_language(language) == expected


def test_clips_are_judged_by_their_language():
    clips = [("a", 0, 3, "s", "fi"), ("b", 0, 3, "s", "ja"), ("c", 0, 3, "s", "te"), ("d", 0, 3, "s", None)]
    segments, transcripts, measures = tables(clips)
    own = settings(select={"duration_s": {"languages": {"fi": [4, None], "ja": [None, 2]}}})
    frame = decide(segments, transcripts, measures, own, recordings_total=MANY)
    assert list(frame["reason"]) == ["duration_s_low", "duration_s_high", "", ""]


@pytest.mark.parametrize("languages", [{"fi": [None, None]}, {"fi": [3, 2]}, {"fi": [float("nan"), 2]}, {"fi": [1]}])
def test_ranges_of_a_language_that_mean_nothing_are_refused(languages):
    with pytest.raises(ValidationError):
        Bounds(languages=languages)


def test_usual_stands_for_numbers_and_is_kept_as_such():
    own = dataset(select={"chars_per_s": "usual"}, per_corpus={"two": {"warn": {"chars_per_s": "usual"}}})
    assert own.select["chars_per_s"].of_language("te") == (2.5, 12)
    assert own.select["chars_per_s"].of_language("fi") == (None, None), "what was not measured is not bounded"
    assert own.of("two").warn == own.select and DatasetSettings(**own.model_dump()) == own
    with pytest.raises(ValidationError, match="hum_db: nothing is usual for it, only for chars_per_s"):
        dataset(select={"hum_db": "usual"})
