import numpy as np
import pandas as pd
import pytest

from kaiku.text.suspicion import EVIDENCE, FEW, deviations, suspicion


def usual(clips=40, **columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"chars_per_s": rng.normal(14, 1, clips), "alignment_logprob": rng.normal(-0.3, 0.05, clips)})
    for name, values in columns.items():
        frame[name] = values
    return frame


def test_usual_clips_are_not_suspicious():
    frame = usual(disagreement_cer=0.03, confidence=0.9, foreign_letters_share=0.0)
    found = suspicion(frame)
    assert (found["suspicion"] < 0.2).all() and (found["evidence"] == 5).all()
    assert list(found.index) == list(frame.index)


@pytest.mark.parametrize(
    "measure, value, words",
    [
        ("disagreement_cer", 0.7, "other letters (70%)"),
        ("alignment_logprob", -4.0, "does not fit the sound (-4.00"),
        ("chars_per_s", 40.0, "40.0 characters a second"),
        ("chars_per_s", 2.0, "2.0 characters a second"),
        ("confidence", 0.1, "confidence is 0.10"),
        ("foreign_letters_share", 0.9, "90% of its letters"),
        ("repeated_share", 0.9, "90% of it is one phrase"),
    ],
)
def test_each_piece_of_evidence_lifts_its_clip_to_the_top(measure, value, words):
    frame = usual(disagreement_cer=0.03, confidence=0.9, foreign_letters_share=0.0, repeated_share=0.1)
    frame.loc[7, measure] = value
    found = suspicion(frame)
    assert found["suspicion"].idxmax() == 7 and found.loc[7, "suspicion"] > 0.5
    assert words in found.loc[7, "reason"]


def test_a_high_training_loss_counts_and_a_low_one_does_not():
    frame = pd.DataFrame({"training_loss": np.linspace(2.9, 3.1, 30)})
    frame.loc[3, "training_loss"], frame.loc[4, "training_loss"] = 9.0, 0.5
    found = suspicion(frame)["suspicion"]
    assert found[3] == pytest.approx(0.6) and found[4] == 0


def test_two_pieces_weigh_more_than_one_and_the_heavier_is_named_first():
    frame = usual(disagreement_cer=0.05, confidence=0.9)
    frame.loc[1, "confidence"] = 0.3
    frame.loc[2, ["confidence", "disagreement_cer"]] = [0.3, 0.4]
    found = suspicion(frame)
    one, both = found.loc[1, "suspicion"], found.loc[2, "suspicion"]
    assert both == pytest.approx(1 - (1 - one) * (1 - 0.9 * 0.75))
    assert found.loc[2, "reason"] == "another transcriber hears other letters (40%); confidence is 0.30"


def test_letters_and_words_of_one_transcriber_count_once():
    frame = pd.DataFrame({"disagreement_cer": [0.3], "disagreement_wer": [0.9]})
    found = suspicion(frame)
    assert found["suspicion"].tolist() == pytest.approx([0.9]) and found["evidence"].tolist() == [1]


def test_without_evidence_nothing_is_said():
    frame = pd.DataFrame({"peak_db": [-3.0, -1.0], "disagreement_cer": [np.nan, 0.0]})
    found = suspicion(frame)
    assert found.to_dict("list") == {"suspicion": [0.0, 0.0], "reason": ["", ""], "evidence": [0, 1]}
    assert suspicion(frame[:0]).empty


def test_each_language_has_its_own_pace():
    values = np.concatenate([np.linspace(11, 13, FEW), np.linspace(19, 21, FEW), [16.0]])
    languages = ["te"] * FEW + ["en-GB"] * FEW + ["en-US"]
    frame = pd.DataFrame({"chars_per_s": values, "language": languages})
    assert (suspicion(frame)["suspicion"][:-1] == 0).all()
    assert suspicion(frame)["suspicion"].iloc[-1] > 0
    assert np.isnan(deviations(values[:3], np.array(["te"] * 3))).all(), "of three nobody knows what is usual"


def test_equal_values_make_no_outlier_of_a_hair():
    values = np.full(30, 12.0)
    values[0] = 12.1
    assert abs(deviations(values, np.zeros(30))).max() < 1


def test_the_measures_are_known_by_one_name_each():
    assert len({own.measure for own in EVIDENCE}) == len(EVIDENCE)


def test_a_text_that_cannot_be_said_in_its_time_is_suspicious_though_nothing_could_be_aligned():
    frame = usual(alignment_fits=1.0)
    frame.loc[5, ["alignment_fits", "alignment_logprob"]] = [0.0, np.nan]
    found = suspicion(frame)
    assert found["suspicion"].idxmax() == 5 and found.loc[5, "reason"] == "nobody could say so much in so short a time"
