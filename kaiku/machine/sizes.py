"""What fits into a card's memory, as an estimate from the shape of a model: batch size and rank of an adapter.

bytes = OVERHEAD + weights in bf16 + 16 x parameters of the adapter + batch x (what autograd keeps of a clip + logits)

The base is frozen in bf16; a weight of the adapter stands in float32, with its gradient and two moments. What autograd
keeps was counted on the real sizes with random weights, under autocast to bf16 on a CPU (`KEPT_*`: bytes by channel,
layer and position; by logit). The slow transformer has text and frames for positions, the fast one each frame's codes.
Logits in float32 and their gradients come on top. MARGIN is left for what this leaves out: it was not tried on a card.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kaiku.housekeeping.shown import size
from kaiku.machine import Finding

OVERHEAD = 1_000_000_000  # CUDA's own, and kernels' workspaces
MARGIN = 0.15
KEPT_SLOW, KEPT_FAST, KEPT_CHECKPOINTED = 107, 77, 2
KEPT_TOKEN, KEPT_CODE = 4, 8
PASSING = 10  # bytes by logit while the loss is worked out: bf16, float32, gradient
TEXT, FRAMES = 100, 431  # a clip of 20 s at 21.5 frames a second
LARGEST_BATCH = 32
RANKS = ((16, 32), (8, 16), (1, 8))
"""Smallest batch that fits, and the rank that is worth having then: memory is better spent on clips first."""


@dataclass(frozen=True)
class Shape:
    """A dual-AR model's sizes. adapted: parameters of a rank-1 adapter; slow, fast: width times layers, and width."""

    name: str
    parameters: int
    adapted: int
    slow: tuple[int, int]
    fast: tuple[int, int]
    vocabulary: int
    codebooks: int
    codes: int


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
    vocabulary, width, fast_width = config["vocab_size"], config["dim"], config["fast_dim"]
    codes, books = config["codebook_size"], config["num_codebooks"]
    matrices = _matrices(config, "", config["n_layer"]) + _matrices(config, "fast_", config["n_fast_layer"])
    matrices += [(vocabulary, width), (width, vocabulary), (codes * books, width)]
    matrices += [(codes, fast_width), (fast_width, codes)]
    between = fast_width * width if fast_width != width else 0  # a projection that no adapter is laid on
    return Shape(
        name,
        parameters=sum(a * b for a, b in matrices) + between,
        adapted=sum(a + b for a, b in matrices),
        slow=(width * config["n_layer"], width),
        fast=(fast_width * config["n_fast_layer"], fast_width),
        vocabulary=vocabulary,
        codebooks=books,
        codes=codes,
    )


def kept(of: Shape, text: int, frames: int, *, checkpointing: bool = False) -> int:
    """Bytes that autograd keeps of one clip until the backward pass, about. text, frames: positions."""
    positions = [(of.slow, KEPT_SLOW, text + frames), (of.fast, KEPT_FAST, frames * of.codebooks)]
    logits = KEPT_TOKEN * of.vocabulary + KEPT_CODE * of.codebooks * of.codes
    if checkpointing:  # each layer's input, and one layer at a time worked out again
        layers = sum((KEPT_CHECKPOINTED * whole + by * width) * n for (whole, width), by, n in positions)
    else:
        layers = sum(by * whole * n for (whole, _), by, n in positions)
    return layers + logits * frames


def taken(of: Shape, batch: int, rank: int, *, checkpointing: bool = False) -> int:
    """Bytes that a training step takes, about."""
    passing = PASSING * FRAMES * (of.vocabulary + of.codebooks * of.codes)
    clip = kept(of, TEXT, FRAMES, checkpointing=checkpointing) + passing
    return OVERHEAD + 2 * of.parameters + 16 * rank * of.adapted + batch * clip


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


def _matrices(config: dict[str, int], part: str, layers: int) -> list[tuple[int, int]]:
    """Out and in of all layers' matrices, by upstream's names: the slow transformer's, or those of part `fast_`."""
    width, inner = config[f"{part}dim"], config[f"{part}intermediate_size"]
    heads, shared, size = (config[f"{part}{name}"] for name in ("n_head", "n_local_heads", "head_dim"))
    attention = [((heads + 2 * shared) * size, width), (width, heads * size)]
    return [*attention, (inner, width), (inner, width), (width, inner)] * layers
