"""Latents to waveform.

Attributes carry upstream's names, since they are the keys of its checkpoint.
"""

from math import ceil, prod

from torch import Tensor, nn

from kaiku.codecs.fish.layers import (
    PIECE,
    UNIT_REACH,
    CausalConv,
    CausalUpsampling,
    Snake,
    in_pieces,
    residual_units,
)
from kaiku.codecs.fish.sizes import Sizes


class DecoderBlock(nn.Module):
    """A transposed convolution that halves the channels, then residual units."""

    def __init__(self, channels: int, rate: int):
        super().__init__()
        self.block = nn.Sequential(
            Snake(channels),
            CausalUpsampling(channels, channels // 2, 2 * rate, stride=rate),
            *residual_units(channels // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] -> [B, channels / 2, T * rate]."""
        return self.block(x)


class Decoder(nn.Module):
    """DAC's decoder made causal."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        channels = sizes.decoder_dim
        blocks: list[nn.Module] = [CausalConv(sizes.latent_dim, channels, 7)]
        for rate in sizes.decoder_rates:
            blocks.append(DecoderBlock(channels, rate))
            channels //= 2
        self.model = nn.Sequential(*blocks, Snake(channels), CausalConv(channels, 1, 7), nn.Tanh())
        self.piece = PIECE * prod(sizes.downsample_rates)
        self.context = decoder_reach(sizes.decoder_rates)

    def forward(self, latents: Tensor) -> Tensor:
        """[B, dim, latent positions] -> [B, 1, latent positions * latent_hop]."""
        return in_pieces(self.model, latents, piece=self.piece, context=self.context)


def decoder_reach(rates: tuple[int, ...]) -> int:
    """Latent positions that the decoder looks back."""
    reach, positions = 6.0, 1.0
    for rate in rates:
        reach += positions  # the transposed convolution spreads an input over two strides
        positions /= rate
        reach += positions * UNIT_REACH
    return ceil(reach + positions * 6)
