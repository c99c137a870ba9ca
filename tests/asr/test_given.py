from kaiku.asr import Spoken, Transcript, given
from kaiku.text.overlap import Span


def said(start_s, end_s, *spans, recording_s=10.0, language="fi"):
    return given.load(given.Settings()).transcribe(Spoken(start_s, end_s, recording_s, language, spans))


def test_text_of_the_whole_recording_for_the_whole_recording():
    assert said(0.0, 10.0, Span(None, None, "kaikki – sanat")) == Transcript("kaikki – sanat", 1.0, "fi")


def test_text_of_the_whole_recording_for_its_larger_part():
    assert said(0.0, 8.0, Span(None, None, "kaikki")).confidence == 0.8
    assert said(8.0, 10.0, Span(None, None, "kaikki")) == Transcript("", None, "fi")


def test_timed_texts():
    spans = (Span(4.0, 6.0, "kaksi"), Span(1.0, 3.0, "yksi"))
    assert said(0.0, 5.5, *spans) == Transcript("yksi kaksi", 3.5 / 4.0, "fi")


def test_no_text():
    assert said(0.0, 1.0) == Transcript("", None, "fi")
