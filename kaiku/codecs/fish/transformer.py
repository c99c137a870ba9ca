"""A causal transformer that looks back a fixed window, for sequences of any length.

Attributes carry upstream's names, since they are the keys of its checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kaiku.codecs.fish.sizes import TransformerSizes


class WindowTransformer(nn.Module):
    """Pre-norm layers with rotary positions, layer scale and SwiGLU, and a norm at the end."""

    def __init__(self, sizes: TransformerSizes):
        super().__init__()
        self.sizes = sizes
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = RMSNorm(sizes.dim, sizes.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """[B, dim, T] -> the same shape."""
        x = x.transpose(1, 2)  # [B, T, dim]
        rotations = rotary_table(x.shape[1], self.sizes.head_dim, self.sizes.rope_base).to(x.device)
        for layer in self.layers:
            x = layer(x, rotations)
        return self.norm(x).transpose(1, 2)


class Layer(nn.Module):
    """Attention, then feed-forward, each scaled per channel."""

    def __init__(self, sizes: TransformerSizes):
        super().__init__()
        self.attention = Attention(sizes)
        self.feed_forward = FeedForward(sizes.dim, sizes.feed_forward_dim)
        self.attention_norm = RMSNorm(sizes.dim, sizes.norm_eps)
        self.ffn_norm = RMSNorm(sizes.dim, sizes.norm_eps)
        self.attention_layer_scale = LayerScale(sizes.dim)
        self.ffn_layer_scale = LayerScale(sizes.dim)

    def forward(self, x: Tensor, rotations: Tensor) -> Tensor:
        """[B, T, dim] -> the same shape."""
        x = x + self.attention_layer_scale(self.attention(self.attention_norm(x), rotations))
        return x + self.ffn_layer_scale(self.feed_forward(self.ffn_norm(x)))


class Attention(nn.Module):
    """Multi-head attention over a window of earlier positions."""

    def __init__(self, sizes: TransformerSizes):
        super().__init__()
        self.sizes = sizes
        width = sizes.heads * sizes.head_dim
        self.wqkv = nn.Linear(sizes.dim, 3 * width, bias=False)
        self.wo = nn.Linear(width, sizes.dim, bias=False)

    def forward(self, x: Tensor, rotations: Tensor) -> Tensor:
        """[B, T, dim] -> the same shape."""
        split = self.wqkv(x).unflatten(-1, (3, self.sizes.heads, self.sizes.head_dim))
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each [B, heads, T, head_dim]
        y = windowed_attention(rotate(q, rotations), rotate(k, rotations), v, self.sizes.window)
        return self.wo(y.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202): w1 is the gate."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, dim] -> the same shape."""
        return self.w2(functional.silu(self.w1(x)) * self.w3(x))


class RMSNorm(nn.Module):
    """Division by the root mean square over channels."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class LayerScale(nn.Module):
    """A factor per channel (Touvron et al. 2021, arXiv:2103.17239)."""

    def __init__(self, dim: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] -> the same shape."""
        return x * self.gamma


def windowed_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Softmax attention in which a position sees itself and the `window - 1` before it.

    [B, heads, T, head_dim] x 3 -> [B, heads, T, head_dim]. Queries go in blocks of `window`, so that no matrix is
    larger than window x 2 window, however long the sequence.
    """
    length = q.shape[-2]
    outputs = []
    for start in range(0, length, window):
        first, stop = max(0, start - window + 1), min(start + window, length)
        scores = q[..., start:stop, :] @ k[..., first:stop, :].transpose(-1, -2) * q.shape[-1] ** -0.5
        hidden = ~visible(start, first, stop, window).to(q.device)
        outputs.append(scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v[..., first:stop, :])
    return torch.cat(outputs, dim=-2)


def visible(start: int, first: int, stop: int, window: int) -> Tensor:
    """Which keys first..stop the queries start..stop may see: bool [queries, keys]."""
    distance = torch.arange(start, stop)[:, None] - torch.arange(first, stop)[None, :]
    return (distance >= 0) & (distance < window)


def rotary_table(length: int, head_dim: int, base: float) -> Tensor:
    """Cosine and sine of each position and pair of channels: float32 [T, head_dim / 2, 2].

    Upstream keeps its table in bfloat16; the weights were trained on the rounded values. Made on the CPU, so that every
    device rounds the same numbers.
    """
    frequencies = 1.0 / base ** (torch.arange(0, head_dim, 2).float() / head_dim)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).bfloat16().float()


def rotate(x: Tensor, rotations: Tensor) -> Tensor:
    """Turn neighbouring pairs of channels by their position's angles (Su et al. 2021, arXiv:2104.09864)."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)  # each [B, heads, T, head_dim / 2]
    cos, sin = rotations.unbind(-1)
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)
