"""Which clips of a dataset a codec is fitted to, where there are more than it takes."""

from collections.abc import Iterable

from kaiku.store import digest

LIBRARIES: tuple[str, ...] = ()
HELD_OUT_CLIPS = 20

Clip = tuple[float, str, str, str]
"""Seconds, corpus, shard, name."""


def drawn(clips: Iterable[Clip], most_s: float) -> list[Clip]:
    """Clips in the order of a hash of their names, until there are so many seconds: more clips displace few of them."""
    taken, seconds = [], 0.0
    for clip in sorted(clips, key=lambda clip: digest.of_value(clip[1:])):
        if seconds >= most_s:
            break
        taken.append(clip)
        seconds += clip[0]
    return taken
