import random

import pytest

from kaiku.text.overlap import Span, text_for, timed

SPANS = [Span(0.0, 2.0, "yksi"), Span(2.0, 4.0, "kaksi"), Span(5.0, 9.0, "kolme")]


@pytest.mark.parametrize(
    ("start_s", "end_s", "text", "coverage"),
    [
        (0.0, 4.0, "yksi kaksi", 1.0),
        (0.0, 9.0, "yksi kaksi kolme", 1.0),
        (4.2, 4.8, "", 0.0),  # nobody speaks
        (0.0, 2.5, "yksi", 2.0 / 2.5),  # half a second of another span's words is in the clip
        (0.5, 4.0, "yksi kaksi", 3.5 / 4.0),  # half a second of the text is not
        (0.0, 3.5, "yksi kaksi", 3.5 / 4.0),
        (6.9, 10.0, "kolme", 2.1 / 4.0),  # nearly half cut away
        (7.0, 10.0, "", 0.0),  # exactly half belongs to no clip
        (2.0, 4.0, "kaksi", 1.0),  # touching is not overlapping
    ],
)
def test_text_for(start_s, end_s, text, coverage):
    assert text_for(start_s, end_s, SPANS) == (text, pytest.approx(coverage))


def test_order_of_spans_does_not_matter():
    for seed in range(5):
        spans = SPANS.copy()
        random.Random(seed).shuffle(spans)
        assert text_for(0.0, 9.0, spans) == ("yksi kaksi kolme", 1.0)


def test_no_span_is_given_twice():
    """Whatever the cuts: each span goes to at most one of the clips that lie end to end."""
    draw = random.Random(1)
    spans = [Span(float(i), i + draw.uniform(0.2, 1.0), f"w{i}") for i in range(100)]
    cuts = sorted(draw.uniform(0, 100) for _ in range(40))
    words = " ".join(text_for(a, b, spans)[0] for a, b in zip([0.0, *cuts], [*cuts, 100.0])).split()
    assert len(words) == len(set(words)) and len(words) > 90
    assert words == [span.text for span in spans if span.text in set(words)]


def test_no_spans():
    assert text_for(0.0, 1.0, []) == ("", 0.0)


def test_timed_closes_what_is_open():
    spans = [Span(None, None, "a"), Span(1.0, None, "b"), Span(None, 1.0, "c"), Span(1.0, 2.0, "d")]
    assert [(s.start_s, s.end_s) for s in timed(spans, 3.0)] == [(0.0, 3.0), (1.0, 3.0), (0.0, 1.0), (1.0, 2.0)]
