"""What fits into a card's memory, as an estimate from the shape of a model: batch size and rank of an adapter.

bytes = OVERHEAD + 4 parameters + 16 parameters of the adapter + batch x positions x (34 width x layers + 10 vocabulary)

Weights stay in float32; a weight of the adapter has its gradient and two moments beside it. Of activations, 34 bytes
per channel, layer and position are kept in half precision (Korthikanti et al., 2022, arXiv:2205.05198, without the
attention matrix, which is never whole in memory); with gradient checkpointing 2 of them. Logits are 2 bytes a token,
and twice 4 in the loss. MARGIN is left for what this leaves out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kaiku.housekeeping.shown import size
from kaiku.machine import Finding

OVERHEAD = 1_000_000_000  # CUDA's own, and kernels' workspaces
MARGIN = 0.15
POSITIONS = 530  # a clip of 20 s at 21.5 frames a second, and its text
LARGEST_BATCH = 32
RANKS = ((16, 32), (8, 16), (1, 8))
"""Smallest batch that fits, and the rank that is worth having then: memory is better spent on clips first."""


@dataclass(frozen=True)
class Shape:
    """A dual-AR model's sizes. adapted: sum of in + out of all adapted matrices, parameters of a rank-1 adapter."""

    name: str
    parameters: int
    adapted: int
    width: int
    layers: int
    vocabulary: int


@dataclass(frozen=True)
class Fit:
    """A batch that fits, with its bytes and the rank to go with it."""

    batch: int
    rank: int
    checkpointing: bool
    bytes: int


OPENAUDIO_S1_MINI = {
    "vocab_size": 155776,
    "n_layer": 28,
    "n_head": 16,
    "n_local_heads": 8,
    "head_dim": 128,
    "dim": 1024,
    "intermediate_size": 3072,
    "codebook_size": 4096,
    "num_codebooks": 10,
    "n_fast_layer": 4,
    "fast_dim": 1024,
    "fast_n_head": 16,
    "fast_n_local_heads": 8,
    "fast_head_dim": 64,
    "fast_intermediate_size": 3072,
}
"""Sizes in its config.json, for those who have not fetched it yet."""


def shape(name: str, config: dict[str, int]) -> Shape:
    """The shape of a dual-AR model by its config.json."""
    slow = _matrices(config, "")
    fast = _matrices(config, "fast_")
    vocabulary, width, fast_width = config["vocab_size"], config["dim"], config["fast_dim"]
    codes = config["codebook_size"]
    tables = [(vocabulary, width), (width, vocabulary), (codes * config["num_codebooks"], width)]
    tables += [(codes, fast_width), (fast_width, codes)]
    tables += [(fast_width, width)] if fast_width != width else []
    matrices = slow * config["n_layer"] + fast * config["n_fast_layer"] + tables
    layers = config["n_layer"] + config["n_fast_layer"]
    parameters, adapted = sum(a * b for a, b in matrices), sum(a + b for a, b in matrices)
    return Shape(name, parameters, adapted, width, layers, vocabulary)


def taken(of: Shape, batch: int, rank: int, *, checkpointing: bool = False) -> int:
    """Bytes that a training step takes, about."""
    per_channel = (2 if checkpointing else 34) * of.layers + (34 if checkpointing else 0)
    per_position = per_channel * of.width + 10 * of.vocabulary
    return OVERHEAD + 4 * of.parameters + 16 * rank * of.adapted + batch * POSITIONS * per_position


def fit(of: Shape, memory: int) -> Fit | None:
    """The largest batch, a power of two, that fits into a memory; None where not one clip does."""
    room = memory * (1 - MARGIN)
    for checkpointing in (False, True):
        batch = LARGEST_BATCH
        while batch:
            rank = next(rank for least, rank in RANKS if batch >= least)
            if (needed := taken(of, batch, rank, checkpointing=checkpointing)) <= room:
                return Fit(batch, rank, checkpointing, needed)
            batch //= 2
    return None


def findings(memory: int, base: Path | None) -> Iterator[Finding]:
    """What a card's memory takes of a base model; of openaudio-s1-mini where none is given."""
    config = OPENAUDIO_S1_MINI
    if base is not None:
        config = config | json.loads((base / "config.json").read_text(encoding="utf-8"))
    of = shape(base.name if base else "openaudio-s1-mini", config)
    told = f"{of.name} ({of.parameters / 1e6:,.0f} million parameters), clips of 20 s, an adapter in bf16"
    found = fit(of, memory)
    if found is None:
        what = f"{told}: not one clip fits into {size(memory)} (estimated)"
        yield Finding("sizes", what, "warning", "Lower select.duration_s, or take a card with more memory.")
        return
    setting = f"batch_size: {found.batch}" + (", gradient_checkpointing: true" if found.checkpointing else "")
    more = f", accumulate: {8 // found.batch}" if found.batch < 8 else ""
    what = f"{told}: {setting}{more}, lora.r up to {found.rank}; about {size(found.bytes)} (estimated)"
    yield Finding("sizes", what)


def _matrices(config: dict[str, int], part: str) -> list[tuple[int, int]]:
    """Out and in of a layer's matrices, by upstream's names: the slow transformer's, or those of part `fast_`."""
    width, inner = config[f"{part}dim"], config[f"{part}intermediate_size"]
    heads, shared, size = (config[f"{part}{name}"] for name in ("n_head", "n_local_heads", "head_dim"))
    attention = [((heads + 2 * shared) * size, width), (width, heads * size)]
    return [*attention, (inner, width), (inner, width), (width, inner)]
