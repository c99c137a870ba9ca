"""Streaming the env codec: each slot keeps the past that still matters, and a step codes it again with the new."""

from collections.abc import Callable

import numpy as np

from kaiku.errors import KaikuError

ENCODER_PAST = 1  # frames before it that an encoded frame depends on
DECODER_PAST = 13  # the same for a decoded hop: the window before it, and the post-net's context of that


class EnvStream:
    """See `kaiku.codecs.CodecStream`."""

    def __init__(self, codec, slots: int):
        if slots < 1:
            raise KaikuError(f"A stream of {slots} slots", expected="at least 1")
        self._slots, hop = slots, codec.hop
        self.encoder = Replay(codec.encode, slots, ENCODER_PAST, units_in=hop, units_out=1)
        self.decoder = Replay(codec.decode, slots, DECODER_PAST, units_in=1, units_out=hop)

    def reset(self, slot: int) -> None:
        """Forget the past of one slot in both directions."""
        self.encoder.reset(slot)
        self.decoder.reset(slot)


class Replay:
    """A function with a finite past, applied in steps: `past` frames are passed again and their output is cut off.

    `units_in` and `units_out` are the rows that one frame takes in input and output.
    """

    def __init__(self, function: Callable, slots: int, past: int, *, units_in: int, units_out: int):
        self._function, self._keep, self._units_in, self._units_out = function, past * units_in, units_in, units_out
        self._past: list[np.ndarray | None] = [None] * slots

    def step(self, chunk: np.ndarray) -> np.ndarray:
        """Rows `[slots, frames * units_in, ...]` -> `[slots, frames * units_out, ...]`."""
        chunk = np.asarray(chunk)
        if len(chunk) != len(self._past) or chunk.ndim < 2 or not chunk.shape[1] or chunk.shape[1] % self._units_in:
            raise KaikuError(
                f"A chunk of shape {list(chunk.shape)}",
                expected=f"{len(self._past)} slots of whole frames, {self._units_in} rows each",
            )
        return np.stack([self._step(slot, rows) for slot, rows in enumerate(chunk)])

    def reset(self, slot: int) -> None:
        """Forget the past of one slot."""
        self._past[slot] = None

    def _step(self, slot: int, rows: np.ndarray) -> np.ndarray:
        past = self._past[slot]
        seen = rows if past is None else np.concatenate([past, rows])
        self._past[slot] = seen[-self._keep :].copy()
        return self._function(seen)[(len(seen) - len(rows)) // self._units_in * self._units_out :]
