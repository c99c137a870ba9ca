from kaiku.drawing import drawn

CLIPS = [(2.0, "corpus", "000", f"clip-{n}") for n in range(50)]


def test_so_many_seconds_are_drawn_whatever_the_order():
    taken = drawn(CLIPS, 21)
    assert len(taken) == 11 and taken == drawn(reversed(CLIPS), 21)
    assert drawn(CLIPS, 1e9) != CLIPS and sorted(drawn(CLIPS, 1e9)) == sorted(CLIPS)
    assert drawn([], 10) == [] and drawn(CLIPS, 0) == []


def test_more_clips_displace_few():
    more = [*CLIPS, *((2.0, "other", "000", f"clip-{n}") for n in range(5))]
    assert len(set(drawn(CLIPS, 40)) - set(drawn(more, 40))) <= 5
