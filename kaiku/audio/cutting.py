"""Where a recording is cut: from spans of speech to clips, as they come, in samples.

Spans gather in a group until a pause ends it; a group that grows too long is split at its best pause. The newest
finished group is held back, so that a short one can still join its neighbour. Cuts lie in pauses, a margin away from
the speech or, where breath or reverberation is there, at a quieter place within reach; a pause too short for two
margins is cut at its quietest point.
"""

from collections.abc import Callable
from dataclasses import dataclass

Span = tuple[int, int]  # first sample, sample after the last


@dataclass(frozen=True)
class Lengths:
    """The settings of a cut, in samples."""

    shortest: int
    longest: int
    margin: int
    pause: int
    longest_pause: int
    reach: int = 0


class Cutter:
    """Takes spans of speech in order and gives clips in order, none longer than `longest`, none overlapping.

    quietest: the best sample to cut at between two samples of the recording. edge: the best sample to end a clip at,
    given its first or last span of speech, where the margin around that ends, and how far out the cut may be; a little
    further out where the recording itself ends there.
    """

    def __init__(
        self,
        lengths: Lengths,
        quietest: Callable[[int, int], int],
        edge: Callable[[Span, int, int], int] = lambda span, near, far: near,
    ):
        self._lengths = lengths
        self._quietest = quietest
        self._edge = edge
        self._group: list[Span] = []
        self._held: list[Span] = []
        self._last_cut = 0  # where the clip before ended
        self._is_shared = False  # whether the next begins right there
        self._total: int | None = None

    def add(self, span: Span) -> list[Span]:
        """Clips that this span completes."""
        clips: list[Span] = []
        if self._group:
            last_start, last_end = self._group[-1]
            pause = span[0] - last_end
            if pause == 0:  # the detector broke a long span off
                self._group[-1] = (last_start, span[1])
                return self._split_while_too_long(clips)
            if pause > self._lengths.longest_pause or (
                pause >= self._lengths.pause and self._is_long_enough(self._group)
            ):
                self._finish_group(clips)
        self._group.append(span)
        return self._split_while_too_long(clips)

    def advance(self, settled: int) -> list[Span]:
        """Clips that are complete since no further span begins before sample `settled`."""
        clips: list[Span] = []
        if self._group and settled - self._group[-1][1] > self._lengths.longest_pause:
            self._finish_group(clips)
        if self._held and not self._group and settled - self._held[-1][1] > self._lengths.longest_pause:
            self._emit_held(None, clips)
        return clips

    def finish(self, total: int) -> list[Span]:
        """The last clips of a recording of `total` samples."""
        clips: list[Span] = []
        self._total = total
        if self._group:
            self._finish_group(clips)
        if self._held:
            self._emit_held(None, clips)
        return clips

    def needed_from(self, settled: int) -> int:
        """The first sample that a later clip can hold, or that decides where it begins."""
        spans = self._held or self._group
        start = (spans[0][0] if spans else settled) - self._lengths.margin - self._lengths.reach
        return max(0, min(start, self._last_cut) if self._is_shared else start)

    def _split_while_too_long(self, clips: list[Span]) -> list[Span]:
        while self._length(self._group) > self._lengths.longest:
            left, right = self._split(self._group)
            self._group = left
            self._finish_group(clips)
            self._group = right
        return clips

    def _split(self, spans: list[Span]) -> tuple[list[Span], list[Span]]:
        """At the longest pause that leaves a clip within the lengths; without one, at the quietest point of speech."""
        fitting = [k for k in range(1, len(spans)) if self._length(spans[:k]) <= self._lengths.longest]
        best = [k for k in fitting if self._is_long_enough(spans[:k])] or fitting
        if best:
            k = max(best, key=lambda k: spans[k][0] - spans[k - 1][1])
            return spans[:k], spans[k:]
        start, end = spans[0]
        room = self._lengths.longest - 2 * self._lengths.margin
        limit = min(start + room, max(end - self._lengths.shortest, start + room // 2 + 1))
        cut = self._quietest(start + room // 2, limit)
        return [(start, cut)], [(cut, end), *spans[1:]]

    def _finish_group(self, clips: list[Span]) -> None:
        group, self._group = self._group, []
        if self._held:
            pause = group[0][0] - self._held[-1][1]
            is_short = not (self._is_long_enough(group) and self._is_long_enough(self._held))
            joined = self._held + group
            if is_short and pause <= self._lengths.longest_pause and self._length(joined) <= self._lengths.longest:
                self._held = joined
                return
            self._emit_held(group[0][0], clips)
        self._held = group

    def _emit_held(self, next_start: int | None, clips: list[Span]) -> None:
        """The clip of the held group; `next_start` where the speech behind it begins, None where it is far or never."""
        group, self._held = self._held, []
        start = self._last_cut if self._is_shared else self._start_of(group)
        self._is_shared = next_start is not None and next_start - group[-1][1] < 2 * self._lengths.margin
        if self._is_shared:
            end = self._quietest(group[-1][1], min(next_start, start + self._lengths.longest))
        else:
            end = self._end_of(group, start, next_start)
        clips.append((start, end))
        self._last_cut = end

    def _start_of(self, group: list[Span]) -> int:
        near = max(self._last_cut, group[0][0] - self._lengths.margin)
        room = (self._lengths.longest - self._length(group)) // 2
        far = max(self._last_cut, near - min(self._lengths.reach, room))
        earliest = group[-1][1] - self._lengths.longest
        return max(earliest, self._edge(group[0], near, far)) if near > 0 else 0

    def _end_of(self, group: list[Span], start: int, next_start: int | None) -> int:
        latest = start + self._lengths.longest
        near = min(group[-1][1] + self._lengths.margin, latest)
        far = min(near + self._lengths.reach, latest)
        if next_start is not None:
            far = min(far, next_start - self._lengths.margin)
        if self._total is not None:
            near, far = min(near, self._total), min(far, self._total)
        return min(latest, self._edge(group[-1], near, far)) if near != self._total else near

    def _length(self, spans: list[Span]) -> int:
        return spans[-1][1] - spans[0][0] + 2 * self._lengths.margin

    def _is_long_enough(self, spans: list[Span]) -> bool:
        return self._length(spans) >= self._lengths.shortest
