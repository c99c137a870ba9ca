"""How many batches a recogniser hears side by side in one job, by the memory that is free.

Workers of one model on one device share its weights; each holds what it computes of the clips of its batch:

    bytes = OVERHEAD + 2 x weight files + workers x clips in a batch x (CLIP + weight files / 2)

Weights may be stored in half the bytes that they are computed in. What a clip takes was counted on a Whisper of base's
shape with random weights (float32, CPU: 124 MB, of which 9 MB a head are attention over 1,500 frames), and worked out
from the shapes of the larger ones with texts of full length and five hypotheses. It was not tried on a card.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kaiku.housekeeping.shown import size
from kaiku.machine import hardware
from kaiku.machine.memory import weight_bytes
from kaiku.machine.sizes import MARGIN, OVERHEAD
from kaiku.progress import log

CLIP = 150_000_000
MOST = 4
"""Of `auto`: they take turns on one card, and more of them only wait for each other."""


def needed(weights: int, workers: int, clips: int) -> float:
    """Bytes that so many workers take. weights: bytes of the weight files; clips: in a batch."""
    return OVERHEAD + 2 * weights + workers * clips * (CLIP + weights / 2)


def fitting(room: int, weights: int, clips: int) -> int:
    """Workers that fit into so many bytes, one at least; otherwise as `needed`."""
    spare = room * (1 - MARGIN) - needed(weights, 0, clips)
    return max(1, int(spare // (needed(weights, 1, clips) - needed(weights, 0, clips))))


def chosen(options: Any, folder: Path, gpus: Sequence[str]) -> int:
    """Workers on each device of a transcriber with the setting `workers`, never more than fit.

    gpus: UUIDs of those that this process claimed; none: it runs on the CPU, where `auto` is one, since a job has one
    core and shards run beside each other.
    """
    wished = options.workers if options.workers != "auto" else MOST if gpus else 1
    if wished == 1:
        return 1
    room = hardware.free_on_cards(gpus) if gpus else hardware.free_memory()
    weights = weight_bytes(folder)
    found = min(wished, fitting(room, weights, options.batch_size))
    if found < wished:
        log(f"{found} of {wished} workers: {size(room)} are free, the model has {size(weights)}")
    return found
