"""The dual-AR model of fish-speech (openaudio-s1), with upstream's parameter names.

Shapes: B sequences, T positions, C codebooks, D width, H query heads, G key/value heads, h width of a head,
V vocabulary, K codes per codebook, M labelled positions, N labelled positions that hold a frame.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from kaiku.errors import KaikuError
from kaiku.families.fish.config import DualARConfig

IGNORED = -100  # the label of a position that is not trained


@dataclass(frozen=True)
class StackShape:
    """One of the two transformers' sizes."""

    dim: int
    n_head: int
    n_local_heads: int
    head_dim: int
    intermediate_size: int
    qkv_bias: bool
    o_bias: bool
    qk_norm: bool
    dropout: float
    norm_eps: float


def slow_shape(c: DualARConfig) -> StackShape:
    """The transformer over text and frames."""
    return StackShape(
        c.dim, c.n_head, c.n_local_heads, c.head_dim, c.intermediate_size,
        c.attention_qkv_bias, c.attention_o_bias, c.attention_qk_norm, c.dropout, c.norm_eps,
    )  # fmt: skip


def fast_shape(c: DualARConfig) -> StackShape:
    """The transformer over the codes of one frame."""
    return StackShape(
        c.fast_dim, c.fast_n_head, c.fast_n_local_heads, c.fast_head_dim, c.fast_intermediate_size,
        c.fast_attention_qkv_bias, c.fast_attention_o_bias, c.fast_attention_qk_norm, c.dropout, c.norm_eps,
    )  # fmt: skip


class KeyValues:
    """Keys and values of the positions so far, for one attention layer; sized once, for what will be needed."""

    def __init__(self, shape: StackShape, positions: int, like: Tensor):
        size = (1, shape.n_local_heads, positions, shape.head_dim)
        self.keys, self.values = like.new_zeros(size), like.new_zeros(size)  # [1, G, positions, h]

    def extend(self, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end = start + keys.shape[2]
        self.keys[:, :, start:end], self.values[:, :, start:end] = keys, values
        return self.keys[:, :, :end], self.values[:, :, :end]


@lru_cache(maxsize=8)
def rotation_table(positions: int, head_dim: int, base: float, device: torch.device) -> Tensor:
    """Cosine and sine per position and pair, fp32 [positions, head_dim / 2, 2], rounded to bfloat16 as upstream's."""
    frequencies = 1.0 / base ** (torch.arange(0, head_dim, 2).float() / head_dim)
    angles = torch.outer(torch.arange(positions).float(), frequencies)
    return torch.stack([angles.cos(), angles.sin()], -1).bfloat16().float().to(device)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotary embedding of neighbouring pairs, in fp32. x: [B, T, heads, h]; table: [T, h / 2, 2]."""
    pairs = x.float().unflatten(-1, (-1, 2))  # [B, T, heads, h / 2, 2]
    cos, sin = table[:, None, :, 0], table[:, None, :, 1]
    even, odd = pairs[..., 0], pairs[..., 1]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2).to(x.dtype)


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis: in fp32, cast back, then times the weight."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


class Attention(nn.Module):
    """Causal attention with grouped key/value heads and, where wanted, normalised queries and keys."""

    def __init__(self, shape: StackShape):
        super().__init__()
        self.shape = shape
        heads = shape.n_head + 2 * shape.n_local_heads
        self.wqkv = nn.Linear(shape.dim, heads * shape.head_dim, bias=shape.qkv_bias)
        self.wo = nn.Linear(shape.n_head * shape.head_dim, shape.dim, bias=shape.o_bias)
        if shape.qk_norm:
            self.q_norm = nn.RMSNorm(shape.head_dim, eps=shape.norm_eps)
            self.k_norm = nn.RMSNorm(shape.head_dim, eps=shape.norm_eps)

    def forward(self, x: Tensor, table: Tensor, cache: KeyValues | None = None, start: int = 0) -> Tensor:
        s = self.shape
        heads = self.wqkv(x).unflatten(-1, (-1, s.head_dim))  # [B, T, H + 2G, h]
        q, k, v = heads.split([s.n_head, s.n_local_heads, s.n_local_heads], dim=2)
        if s.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (t.transpose(1, 2) for t in (rotate(q, table), rotate(k, table), v))  # [B, H or G, T, h]
        if cache is not None:
            k, v = cache.extend(start, k, v)
        causal = q.shape[2] > 1  # one new position sees all that are kept; several only come at the very start
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
        return self.wo(attended.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, shape: StackShape):
        super().__init__()
        self.w1 = nn.Linear(shape.dim, shape.intermediate_size, bias=False)
        self.w3 = nn.Linear(shape.dim, shape.intermediate_size, bias=False)
        self.w2 = nn.Linear(shape.intermediate_size, shape.dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(GradientCheckpointingLayer):
    """Attention, then feed-forward, each normalised before and added to what came in."""

    def __init__(self, shape: StackShape):
        super().__init__()
        self.attention = Attention(shape)
        self.feed_forward = FeedForward(shape)
        self.ffn_norm = RMSNorm(shape.dim, shape.norm_eps)
        self.attention_norm = RMSNorm(shape.dim, shape.norm_eps)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, table: Tensor, cache: KeyValues | None = None, start: int = 0) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), table, cache, start))
        return x + self.dropout(self.feed_forward(self.ffn_norm(x)))


@dataclass
class DualAROutput:
    """Logits where there are labels, in order of sequence and position.

    token: [M, V] at labelled positions; codes: [N, C, K] at those whose label is a frame.
    """

    token: Tensor
    codes: Tensor


class DualAR(PreTrainedModel):
    """Slow transformer over text and frames, fast transformer over the codes of each frame."""

    config_class = DualARConfig
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ("Block",)

    def __init__(self, config: DualARConfig):
        super().__init__(config)
        slow, fast = slow_shape(config), fast_shape(config)
        self.embeddings = nn.Embedding(config.vocab_size, slow.dim)
        self.codebook_embeddings = nn.Embedding(config.codebook_size * config.num_codebooks, slow.dim)
        self.layers = nn.ModuleList(Block(slow) for _ in range(config.n_layer))
        self.norm = RMSNorm(slow.dim, slow.norm_eps)
        self.output = nn.Linear(slow.dim, config.vocab_size, bias=False)
        self.fast_project_in = nn.Linear(slow.dim, fast.dim) if slow.dim != fast.dim else nn.Identity()
        self.fast_embeddings = nn.Embedding(config.codebook_size, fast.dim)
        self.fast_layers = nn.ModuleList(Block(fast) for _ in range(config.n_fast_layer))
        self.fast_norm = RMSNorm(fast.dim, fast.norm_eps)
        self.fast_output = nn.Linear(fast.dim, config.codebook_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings

    def forward(self, inputs: Tensor, labels: Tensor) -> DualAROutput:
        """Logits at the labelled positions of right-padded sequences.

        inputs: int64 [B, 1 + C, T], row 0 token ids, rows 1.. codes (0 where the token is no frame). labels: the same
        shape, each position's next column; row 0 is -100 where nothing is trained. Attention is causal, so padding on
        the right changes no position before it and needs no mask.
        """
        scaled = not self.config.upstream_compat
        hidden = self.hidden(self.embed(inputs, scaled=scaled))  # [B, T, D]
        token_labels = labels[:, 0]
        is_frame = self.is_frame(token_labels)
        codes = labels[:, 1:].transpose(1, 2)[is_frame]  # [N, C]
        return DualAROutput(
            token=self.token_logits(hidden[token_labels != IGNORED]),
            codes=self.code_logits(hidden[is_frame], codes),
        )

    def embed(self, inputs: Tensor, *, scaled: bool = True) -> Tensor:
        """Input embeddings [B, T, D] of columns [B, 1 + C, T]: token plus, at frames, the sum of the codes'.

        scaled: where the config asks for it, frames are divided by sqrt(C + 1), so that they are as large as text.
        """
        c = self.config
        offsets = torch.arange(c.num_codebooks, device=inputs.device)[:, None] * c.codebook_size
        is_frame = self.is_frame(inputs[:, 0])[..., None]  # [B, T, 1]
        codes = self.codebook_embeddings(inputs[:, 1:] + offsets).sum(1)  # [B, T, D]
        x = self.embeddings(inputs[:, 0]) + codes.masked_fill(~is_frame, 0)
        if scaled and c.scale_codebook_embeddings:
            x = torch.where(is_frame, x / math.sqrt(c.num_codebooks + 1), x)
        return x

    def is_frame(self, tokens: Tensor) -> Tensor:
        """Where a token id stands for a frame, by its code of codebook 0."""
        return (tokens >= self.config.semantic_begin_id) & (tokens <= self.config.semantic_end_id)

    def hidden(self, x: Tensor, caches: list[KeyValues] | None = None, start: int = 0) -> Tensor:
        """The slow transformer over embeddings [B, T, D] from position `start` on; its output before the last norm."""
        c, end = self.config, start + x.shape[1]
        if end > c.max_seq_len:
            raise KaikuError(f"a sequence of {end} positions", expected=f"at most {c.max_seq_len} (max_seq_len)")
        table = rotation_table(c.max_seq_len, c.head_dim, c.rope_base, x.device)[start:end]
        for i, layer in enumerate(self.layers):
            x = layer(x, table, caches[i] if caches else None, start)
        return x

    def token_logits(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary, [..., V]."""
        return self.output(self.norm(hidden))

    def fast_input(self, hidden: Tensor) -> Tensor:
        """What the fast transformer begins a frame with, [..., D fast]."""
        return self.fast_project_in(self.norm(hidden) if self.config.norm_fastlayer_input else hidden)

    def code_logits(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Logits [N, C, K] of every code of N frames, each given the codes [N, C] before it in the frame."""
        x = torch.cat([self.fast_input(hidden)[:, None], self.fast_embeddings(codes[:, :-1])], 1)  # [N, C, D fast]
        return self.fast(x)

    def fast(self, x: Tensor, caches: list[KeyValues] | None = None, start: int = 0) -> Tensor:
        """Logits [N, n, K] after the fast transformer over n of a frame's positions, the first being `start`."""
        c, end = self.config, start + x.shape[1]
        table = rotation_table(c.num_codebooks, c.fast_head_dim, c.rope_base, x.device)[start:end]
        for i, layer in enumerate(self.fast_layers):
            x = layer(x, table, caches[i] if caches else None, start)
        return self.fast_output(self.fast_norm(x))
