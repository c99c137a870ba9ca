"""Voice activity: the streamed model equals the whole one, spans follow their definition, torch stays out."""

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError
from synthetic_voice import recording, voice

from kaiku.audio.vad import (
    FRAME,
    FRAMES_PER_CALL,
    SpanDetector,
    SpeechProbability,
    SpeechSettings,
    speech_probabilities,
    speech_spans,
)

BARE = SpeechSettings(min_silence_ms=96, min_speech_ms=64)  # 3 frames, 2 frames


def spans(marks, settings=BARE, longest=None, step=None):
    """Spans of a string of frames: # speech, + between the thresholds, . silence."""
    probabilities = np.array([{"#": 0.9, "+": 0.4, ".": 0.1}[mark] for mark in marks], np.float32)
    detector = SpanDetector(settings, longest)
    step = step or max(1, len(marks))
    found = [span for k in range(0, len(marks), step) for span in detector.push(probabilities[k : k + step])]
    return found + detector.finish()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("", []),
        (".....", []),
        ("..###....", [(2, 5)]),
        ("..###..##....", [(2, 9)]),  # two frames of silence do not end a span
        ("..###...##....", [(2, 5), (8, 10)]),
        ("..#......", []),  # too short
        ("..++++...", []),  # never reaches the threshold
        ("..##+++++##....", [(2, 11)]),  # above the end threshold it goes on
        ("..##.++....", [(2, 4)]),  # once quiet, only the threshold revives it
        ("..####", [(2, 6)]),  # the end of the recording ends it
        ("..####..", [(2, 6)]),
    ],
)
def test_spans_by_hysteresis(marks, expected):
    assert spans(marks) == expected
    assert spans(marks, step=1) == expected


def test_a_long_span_is_broken_off_and_goes_on_where_it_ended():
    assert spans("." + "#" * 23 + "....", longest=10) == [(1, 11), (11, 21), (21, 24)]
    assert spans("." + "#" * 21 + "....", longest=10) == [(1, 11), (11, 21), (21, 22)]  # a rest counts however short
    assert spans("." + "#" * 10 + "....", longest=10) == [(1, 11)]


def test_settled_is_where_a_later_span_could_begin():
    detector = SpanDetector(BARE)
    detector.push(np.array([0.1, 0.1, 0.9, 0.9], np.float32))
    assert detector.settled == 2
    detector.push(np.full(3, 0.1, np.float32))
    assert detector.settled == 7


def test_streamed_probabilities_are_those_of_the_whole():
    samples = recording(-1, 8, -1, 3)
    whole = speech_probabilities(samples, 16_000)
    assert len(whole) == -(-len(samples) // FRAME) > FRAMES_PER_CALL
    for block in (1000, 65_536):
        model = SpeechProbability()
        parts = [model.push(samples[k : k + block]) for k in range(0, len(samples), block)]
        assert np.array_equal(np.concatenate([*parts, model.finish()]), whole)


def test_a_voice_is_speech_and_pauses_noise_and_tones_are_not():
    found = speech_spans(recording(-1, 3, -0.6, 2, -2, 2, -1), 16_000)
    expected = [(1.0, 4.0), (4.6, 6.6), (8.6, 10.6)]
    assert len(found) == 3
    assert np.abs(np.array(found) - expected).max() < 0.15
    noise = (np.random.default_rng(0).standard_normal(48_000) * 0.1).astype(np.float32)
    assert speech_spans(noise, 16_000) == []
    assert speech_spans(np.zeros(48_000, np.float32), 16_000) == []


def test_spans_at_another_rate_and_none_past_the_end():
    samples = voice(2.01, sample_rate=44_100)
    found = speech_spans(samples, 44_100)
    assert len(found) == 1
    assert found[0][0] < 0.15
    assert found[0][1] == len(samples) / 44_100


def test_no_samples_have_no_frames():
    assert speech_spans(np.zeros(0, np.float32), 16_000) == []


def test_an_end_threshold_above_the_threshold_is_refused():
    with pytest.raises(ValidationError, match="lies above threshold"):
        SpeechSettings(threshold=0.3, end_threshold=0.5)


def test_settings_import_no_heavy_library_and_the_detector_no_torch():
    program = """
import sys, numpy
import kaiku.audio.segmentation, kaiku.audio.clips, kaiku.checks.hum, kaiku.checks.speech
heavy = {"av", "soundfile", "soxr", "onnxruntime", "torch", "scipy", "silero_vad"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
kaiku.audio.vad.speech_spans(numpy.zeros(16000, numpy.float32), 16000)
assert not {"torch", "silero_vad"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
