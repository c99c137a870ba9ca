"""Cuts: lengths, margins, best pauses, and nothing lost or given twice, over chosen and random speech."""

import random
from itertools import pairwise

import pytest

from kaiku.audio.cutting import Cutter, Lengths

LENGTHS = Lengths(shortest=100, longest=1000, margin=10, pause=40, longest_pause=150)


def at_margin(span, near, far):
    return near


def cut(spans, total, lengths=LENGTHS, quietest=lambda start, end: (start + end) // 2, advance=False, edge=at_margin):
    """Clips of the spans; whatever lies before `needed_from` may be forgotten, so nothing may ask for it again."""
    forgotten, clips = 0, []

    def quietest_of_kept(start, end):
        assert start >= forgotten
        return quietest(start, end)

    def keep(new):
        assert all(start >= forgotten for start, _ in new)
        clips.extend(new)

    cutter = Cutter(lengths, quietest_of_kept, edge)
    for start, end in spans:
        for settled in range(start - 300, start, 7) if advance else ():
            keep(cutter.advance(settled))
            forgotten = cutter.needed_from(settled)
        keep(cutter.add((start, end)))
        forgotten = cutter.needed_from(end)
    keep(cutter.finish(total))
    return clips


def test_a_pause_ends_a_clip_and_margins_stand_around_speech():
    assert cut([(100, 300), (400, 600)], 700) == [(90, 310), (390, 610)]


def test_margins_end_at_the_recording():
    assert cut([(5, 300)], 305) == [(0, 305)]


def test_short_pauses_stay_within_a_clip():
    assert cut([(100, 300), (330, 600)], 700) == [(90, 610)]


def test_a_pause_too_short_for_two_margins_is_cut_at_its_quietest():
    lengths = Lengths(shortest=100, longest=1000, margin=30, pause=40, longest_pause=150)
    assert cut([(100, 300), (350, 600)], 700, lengths, quietest=lambda start, end: end - 7) == [(70, 343), (343, 630)]


def test_a_short_clip_takes_the_next_span():
    assert cut([(100, 150), (250, 600)], 700) == [(90, 610)]


def test_a_short_clip_joins_the_one_before():
    assert cut([(100, 300), (380, 420), (800, 1000)], 1100) == [(90, 430), (790, 1010)]


def test_a_short_clip_far_from_all_others_stands_alone():
    assert cut([(100, 300), (500, 540), (800, 1000)], 1100) == [(90, 310), (490, 550), (790, 1010)]


def test_too_long_a_clip_is_split_at_its_longest_pause():
    spans = [(100, 400), (420, 700), (735, 900), (915, 1300)]
    assert cut(spans, 1400) == [(90, 710), (725, 1310)]


def test_too_short_a_left_part_is_avoided_when_splitting():
    spans = [(100, 150), (185, 600), (610, 1190)]
    assert cut(spans, 1400) == [(90, 605), (605, 1200)]


def test_speech_without_pause_is_split_at_its_quietest_near_the_limit():
    windows = []

    def quietest(start, end):
        windows.append((start, end))
        return start if start == end else start + 100

    clips = cut([(100, 1600)], 1700, quietest=quietest)
    assert windows[0] == (590, 1080)  # from half of the limit to the limit
    assert clips == [(90, 690), (690, 1610)]


WIDE = Lengths(shortest=100, longest=1000, margin=30, pause=40, longest_pause=150)


@pytest.mark.parametrize(
    ("spans", "quietest", "clips"),
    [
        ([(100, 1040), (1080, 1500)], max, [(70, 1070), (1070, 1530)]),  # ends in a pause too short for two margins
        ([(100, 300), (350, 1290)], min, [(70, 300), (300, 1300)]),  # begins in one
    ],
)
def test_a_margin_makes_no_clip_too_long(spans, quietest, clips):
    assert cut(spans, 2000, WIDE, quietest) == clips


@pytest.mark.parametrize(("margin", "span", "clip"), [(30, (60, 1000), (0, 1000)), (0, (20, 1020), (20, 1020))])
def test_a_cut_at_an_end_of_the_recording_makes_no_clip_too_long(margin, span, clip):
    lengths = Lengths(shortest=100, longest=1000, margin=margin, pause=40, longest_pause=150, reach=30)
    assert cut([span], 1100, lengths, edge=lambda span, near, far: 0 if near <= span[0] else 1100) == [clip]


def test_speech_broken_off_is_one_span():
    whole = cut([(100, 1900)], 2000)
    assert cut([(100, 1100), (1100, 1900)], 2000) != []
    assert sum(end - start for start, end in whole) == 1820
    assert sum(end - start for start, end in cut([(100, 1100), (1100, 1900)], 2000)) == 1820


def test_no_speech_no_clips():
    assert cut([], 1000) == []


@pytest.mark.parametrize("seed", range(60))
def test_random_speech(seed):
    draw = random.Random(seed)
    lengths = Lengths(100, draw.choice([250, 600, 1000]), draw.choice([0, 10, 20]), 40, draw.choice([60, 150]))
    spans, at = [], draw.randrange(20)
    for _ in range(draw.randrange(1, 40)):
        length = draw.choice([3, 20, 80, 300, 1000])
        spans.append((at, at + length))
        at += length + draw.choice([0, 4, 11, 30, 45, 100, 400])
    total = spans[-1][1] + draw.randrange(30)

    clips = cut(spans, total, lengths, quietest=lambda start, end: draw.randint(start, end))

    assert all(0 <= start < end <= total for start, end in clips)
    assert all(end - start <= lengths.longest for start, end in clips)
    assert all(before[1] <= after[0] for before, after in pairwise(clips))
    heard = set().union(*(range(start, end) for start, end in clips))
    assert all(heard.issuperset(range(start, end)) for start, end in spans)  # no speech is lost
    for start, end in clips:  # no clip holds a pause that is too long
        inside = [span for span in spans if span[0] < end and span[1] > start]
        assert all(b[0] - a[1] <= lengths.longest_pause for a, b in pairwise(inside))


@pytest.mark.parametrize("seed", range(20))
def test_news_of_silence_changes_no_cut(seed):
    draw = random.Random(seed)
    spans, at = [], 0
    for _ in range(20):
        spans.append((at, at + draw.choice([3, 80, 300, 900])))
        at = spans[-1][1] + draw.choice([4, 30, 60, 149, 160, 400])
    assert cut(spans, at) == cut(spans, at, advance=True)
