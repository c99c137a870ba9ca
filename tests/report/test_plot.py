"""Plots: round ticks, lines where the numbers are, words for those who cannot see them."""

import re
from xml.etree import ElementTree

import pytest

from kaiku.report.plot import describe, line_plot, thinned, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (3.1, 9.2, [3, 4, 5, 6, 7, 8, 9, 10]),
        (1, 400, [0, 100, 200, 300, 400]),
        (0, 0.003, [0, 0.0005, 0.001, 0.0015, 0.002, 0.0025, 0.003]),
        (5, 5, [5, 6]),
        (0, 0, [0, 0.2]),
    ],
)
def test_ticks_are_round_and_enclose_the_range(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)
    assert ticks(low, high)[0] <= low and ticks(low, high)[-1] >= high


def test_thinning_takes_means():
    assert thinned([[0, 1], [1, 3], [2, 5], [3, 7], [4, 9]], most=3) == [(0.5, 2.0), (2.5, 6.0), (4.0, 9.0)]
    assert thinned([[1, 2]]) == [(1, 2)]
    assert len(thinned([[n, n] for n in range(3000)])) == 231, "13 neighbours each"
    assert thinned([]) == []


PLOT = {
    "title": "Loss",
    "x_label": "step",
    "y_label": "nats per code",
    "curves": [
        {"name": "training", "points": [[0, 4.0], [50, 2.0], [100, 1.0]]},
        {"name": "held out", "points": [[50, 3.0], [100, 2.5]]},
        {"name": "never measured", "points": []},
    ],
    "best": 100,
}


def test_lines_stand_where_their_numbers_are():
    svg = ElementTree.fromstring(line_plot(PLOT))
    lines = {g.get("class"): g.find("path").get("d") for g in svg.findall("g")}
    assert set(lines) == {"line-0", "line-1"}
    first, second = ([tuple(map(float, p.split())) for p in re.split("[ML]", d)[1:]] for d in lines.values())
    assert [x for x, _ in second] == [x for x, _ in first[1:]], "equal steps stand above each other"
    heights = [y for _, y in first + second]
    # 4 to 1 is the span of the axis: heights fall in proportion to the values 4, 2, 1, 3, 2.5.
    expected = [heights[0] + (heights[2] - heights[0]) * (4 - value) / 3 for value in (4, 2, 1, 3, 2.5)]
    assert heights == pytest.approx(expected, abs=0.11)


def test_axes_and_choice_are_labelled():
    texts = [text.text for text in ElementTree.fromstring(line_plot(PLOT)).iter("text")]
    assert {"step", "nats per code", "chosen", "1.0", "4.0", "0", "100"} <= set(texts)


def test_words_for_the_plot():
    assert describe(PLOT) == (
        "Loss, nats per code by step. training: from 4 to 1, lowest 1. held out: from 3 to 2.5, lowest 2.5."
    )
    assert ElementTree.fromstring(line_plot(PLOT)).get("aria-label") == describe(PLOT)


def test_names_are_escaped_and_nothing_is_no_plot():
    hostile = PLOT | {"y_label": '<b> & "quotes"'}
    assert '<b> & "quotes"' in [text.text for text in ElementTree.fromstring(line_plot(hostile)).iter("text")]
    assert line_plot(PLOT | {"curves": []}) == ""
