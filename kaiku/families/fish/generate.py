"""Speaking: one column at a time, the slow transformer its first code, the fast one the others."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from kaiku.families.fish.model import DualAR, KeyValues, fast_shape, slow_shape


@torch.no_grad()
def columns_after(
    model: DualAR,
    prompt: Tensor,
    *,
    end: int,
    max_frames: int,
    temperature: float,
    top_p: float,
    generator: torch.Generator,
    constrained: bool = True,
) -> Iterator[Tensor]:
    """Yield the columns int64 [1 + C] that follow a prompt [1 + C, T], the last being the end token's if it comes.

    constrained: only frames and `end` may follow; upstream at d3df505 lets any token follow, and reads one before the
    first semantic token as code 0. generator: a CPU generator, so that every device draws the same numbers.
    """
    config, device = model.config, model.device
    follow = torch.zeros(config.vocab_size, device=device)  # [V], what is added to the logits
    if constrained:
        follow.fill_(-torch.inf)
        follow[config.semantic_begin_id : config.semantic_end_id + 1] = 0
        follow[end] = 0
    slow = slow_shape(config)
    caches = [KeyValues(slow, prompt.shape[1] + max_frames, model.output.weight) for _ in model.layers]
    start, column = 0, prompt.to(device)
    with _without_dropout(model):
        for _ in range(max_frames):
            x = model.embed(column[None])  # [1, 1 + C, n] -> [1, n, D]
            hidden = model.hidden(x, caches, start)[:, -1]  # [1, D]
            start += x.shape[1]
            draws = torch.rand(config.num_codebooks, generator=generator).to(device)
            token = sample(model.token_logits(hidden)[0] + follow, draws[0], temperature, top_p)
            codes = _codes(model, hidden, token, draws, temperature, top_p)
            column = torch.cat([token[None], codes])[:, None]  # [1 + C, 1]
            yield column[:, 0]
            if int(token) == end:
                return


@contextmanager
def _without_dropout(model: DualAR) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def sample(logits: Tensor, draw: Tensor, temperature: float, top_p: float) -> Tensor:
    """An index of `logits` [n], by a uniform `draw` in [0, 1).

    The fewest that hold top_p of the probability are kept (Holtzman et al. 2020), before the temperature, as upstream
    has it. Drawn from the cumulative distribution, in fp32, so that no random number is made on the device.
    """
    ordered, order = logits.float().sort(descending=True, stable=True)
    likely = ordered.softmax(-1)
    kept = likely.cumsum(-1) - likely < top_p
    cumulative = (ordered / temperature).masked_fill(~kept, -torch.inf).softmax(-1).cumsum(-1)
    return order[torch.clamp((cumulative <= draw * cumulative[-1]).sum(), max=kept.sum() - 1)]


def _codes(model: DualAR, hidden: Tensor, token: Tensor, draws: Tensor, temperature: float, top_p: float) -> Tensor:
    """The codes [C] of the frame that `token` stands for; the first is the token's own."""
    config = model.config
    fast = fast_shape(config)
    caches = [KeyValues(fast, config.num_codebooks, model.fast_output.weight) for _ in model.fast_layers]
    codes = [torch.clamp(token - config.semantic_begin_id, 0, config.codebook_size - 1)]
    model.fast(model.fast_input(hidden)[:, None], caches, 0)  # what it says of code 0 is the slow transformer's to say
    for level in range(1, config.num_codebooks):
        x = model.fast_embeddings(codes[-1])[None, None]  # [1, 1, D fast]
        logits = model.fast(x, caches, level)[0, 0, : config.codebook_sizes[level]]
        codes.append(sample(logits, draws[level], temperature, top_p))
    return torch.stack(codes)
