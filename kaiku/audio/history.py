"""The latest samples of a recording, and the quiet places among them."""

from collections import deque

import numpy as np

QUIET_S = 0.06  # what a cut needs: the length of a stop closure
HOP_S = 0.01
NEARLY = 2.0  # times the least power, 3 dB: as good, so that clips do not take more silence than they need
QUIET = 10**4.5  # times weaker than speech: quiet in any case
LOUD = 10**3.0  # times weaker than speech, and louder: not quiet in any case
BESIDE_S = 0.5  # of speech next to a cut that it is compared with


class History:
    """The latest samples of a recording, read by their position in it."""

    def __init__(self, sample_rate: int):
        self._blocks: deque[np.ndarray] = deque()
        self._first = 0
        self._hop = max(1, round(HOP_S * sample_rate))
        self._quiet = round(QUIET_S / HOP_S)
        self.window = self._quiet * self._hop
        self.held = 0

    def append(self, samples: np.ndarray) -> None:
        self._blocks.append(samples)
        self.held += len(samples)

    def forget(self, before: int) -> None:
        """Drop blocks that end before a sample."""
        while self._blocks and self._first + len(self._blocks[0]) <= before:
            gone = len(self._blocks.popleft())
            self._first += gone
            self.held -= gone

    def read(self, start: int, end: int) -> np.ndarray:
        """float32 [end - start]."""
        parts, at = [], self._first
        if start < at or end > at + self.held:
            raise IndexError(f"samples {start} to {end} are not among those held, {at} to {at + self.held}")
        for block in self._blocks:
            if at < end and at + len(block) > start:
                parts.append(block[max(0, start - at) : end - at])
            at += len(block)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def quietest(self, start: int, end: int) -> int:
        """Middle of the 60 ms of least power between two samples; the middle of both if they are closer than that."""
        if (end - start) // self._hop < self._quiet:
            return (start + end) // 2
        return start + int(np.argmin(self._powers(start, end))) * self._hop + self.window // 2

    def edge(self, span: tuple[int, int], near: int, far: int) -> int:
        """Where a clip ends whose first or last span of speech is `span`: the quiet place nearest to `near`.

        Quiet are 60 ms that are nearly the quietest between `far` and a third of the margin, or QUIET times weaker than
        the speech beside. Where the recording's own end is that near and nothing is quiet, it is the place: a recording
        that begins within a word does so before the detector has heard it.
        """
        half, outward = self.window // 2, 1 if near >= span[1] else -1
        speech = span[1] if outward > 0 else span[0]
        last = self._first + self.held - half if outward > 0 else self._first + half  # a whole window is held
        reaches_end = (far - last) * outward > 0  # only at the recording's ends: elsewhere more than `far` is held
        far = last if reaches_end else far
        inner = speech + (near - speech) // 3
        powers = self._powers(inner - outward * half, far + outward * half)
        beside = self._powers(speech, speech - outward * min(span[1] - span[0], round(BESIDE_S / HOP_S) * self._hop))
        loudest = beside.max(initial=0)
        if not len(powers) or (reaches_end and powers.min() > loudest / LOUD):
            return near if not reaches_end else max(0, last + outward * half)
        good = np.flatnonzero(powers <= max(NEARLY * powers.min(), loudest / QUIET))
        wanted = abs(near - inner) // self._hop
        return inner + outward * self._hop * int(good[np.argmin(abs(good - wanted))])

    def _powers(self, start: int, end: int) -> np.ndarray:
        """Power of the windows of 60 ms, every 10 ms from `start` on towards `end`, which may lie before it."""
        hops = abs(end - start) // self._hop
        if hops < self._quiet:
            return np.zeros(0)
        length = hops * self._hop
        samples = self.read(start, start + length) if end > start else self.read(start - length, start)[::-1]
        hopped = samples.reshape(hops, self._hop)
        power = np.vecdot(hopped, hopped).astype(np.float64)
        return np.lib.stride_tricks.sliding_window_view(power, self._quiet).sum(axis=1)
