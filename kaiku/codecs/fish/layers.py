"""Causal convolutions and the blocks made of them; no output depends on a later input.

Attributes carry upstream's names, since they are the keys of its checkpoint; its weight normalisation is folded in on
loading.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

PIECE = 512  # frames that the convolutions take at once: 24 s, some 3 GB beside the weights at s1-mini's size
UNIT_REACH = 78  # positions that the residual units of a block look back: 6 * (1 + 3 + 9)


class CausalConv(nn.Module):
    """A convolution padded with zeros on the left only; the length must be a multiple of `stride`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups)
        self.padding = (kernel - 1) * dilation + 1 - stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, T] -> [B, outputs, T / stride]."""
        return self.conv(functional.pad(x, (self.padding, 0)))


class CausalUpsampling(nn.Module):
    """A transposed convolution whose tail, which the next input would add to, is cut off."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int):
        super().__init__()
        self.conv = nn.ConvTranspose1d(inputs, outputs, kernel, stride=stride)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, T] -> [B, outputs, T * stride]."""
        return self.conv(x)[..., : x.shape[-1] * self.stride]


class Snake(nn.Module):
    """The periodic activation x + sin(alpha x)^2 / alpha (Ziyin et al. 2020, arXiv:2006.08195)."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] -> the same shape."""
        return x + torch.sin(self.alpha * x).square() / (self.alpha + 1e-9)


class ResidualUnit(nn.Module):
    """DAC's residual unit: a dilated convolution of 7 taps, then one of 1."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.block = nn.Sequential(
            Snake(channels),
            CausalConv(channels, channels, 7, dilation=dilation),
            Snake(channels),
            CausalConv(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] -> the same shape."""
        return x + self.block(x)


def residual_units(channels: int) -> list[ResidualUnit]:
    """The three units of a DAC block, which look back `UNIT_REACH` positions together."""
    return [ResidualUnit(channels, dilation) for dilation in (1, 3, 9)]


class ConvNeXtBlock(nn.Module):
    """A depthwise convolution and a pointwise network (Liu et al. 2022, arXiv:2201.03545), causal in time."""

    def __init__(self, channels: int):
        super().__init__()
        self.dwconv = CausalConv(channels, channels, 7, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] -> the same shape."""
        y = self.norm(self.dwconv(x).transpose(1, 2))  # [B, T, channels]
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


def in_pieces(function: Callable[[Tensor], Tensor], x: Tensor, *, piece: int, context: int) -> Tensor:
    """A causal function over a long input, piece by piece, so that memory does not grow with the clip.

    x: [B, C, T], with T, `piece` and `context` multiples of the function's stride. Each piece is given the `context`
    positions before it; the result is that of the whole where the function looks back no further.
    """
    outputs = []
    for start in range(0, x.shape[-1], piece):
        begin = max(0, start - context)
        stop = min(start + piece, x.shape[-1])
        y = function(x[..., begin:stop])
        known = y.shape[-1] * (start - begin) // (stop - begin)
        outputs.append(y[..., known:])
    return torch.cat(outputs, dim=-1)
