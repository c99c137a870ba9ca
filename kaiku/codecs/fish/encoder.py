"""Waveform to latents.

Attributes carry upstream's names, since they are the keys of its checkpoint.
"""

from math import ceil

from torch import Tensor, nn

from kaiku.codecs.fish.layers import PIECE, UNIT_REACH, CausalConv, Snake, in_pieces, residual_units
from kaiku.codecs.fish.sizes import Sizes, TransformerSizes
from kaiku.codecs.fish.transformer import WindowTransformer


class Encoder(nn.Module):
    """DAC's encoder made causal, with a transformer at the end of its last block."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        channels = sizes.encoder_dim
        blocks: list[nn.Module] = [CausalConv(1, channels, 7)]
        for rate in sizes.encoder_rates:
            channels *= 2
            is_last = channels == sizes.latent_dim
            blocks.append(EncoderBlock(channels // 2, rate, sizes.encoder_transformer if is_last else None))
        self.block = nn.ModuleList([*blocks, Snake(channels), CausalConv(channels, channels, 3)])
        self.piece = PIECE * sizes.hop
        self.context = ceil(encoder_reach(sizes.encoder_rates) / sizes.hop) * sizes.hop

    def forward(self, wav: Tensor) -> Tensor:
        """[B, 1, latent positions * latent_hop] -> [B, dim, latent positions]."""
        *_, last_block, snake, conv = self.block
        x = in_pieces(self._convolve, wav, piece=self.piece, context=self.context)
        return conv(snake(last_block.attend(x)))

    def _convolve(self, x: Tensor) -> Tensor:
        first, *blocks, _, _ = self.block
        x = first(x)
        for block in blocks:
            x = block.convolve(x)
        return x


class EncoderBlock(nn.Module):
    """Residual units and a strided convolution that doubles the channels; then a transformer, if any."""

    def __init__(self, channels: int, rate: int, transformer: TransformerSizes | None):
        super().__init__()
        layers = [*residual_units(channels), Snake(channels), CausalConv(channels, 2 * channels, 2 * rate, stride=rate)]
        self.convolutions = len(layers)
        if transformer and transformer.layers:
            layers.append(WindowTransformer(transformer))
        self.block = nn.Sequential(*layers)

    def convolve(self, x: Tensor) -> Tensor:
        """[B, channels, T] -> [B, 2 * channels, T / rate]."""
        return self.block[: self.convolutions](x)

    def attend(self, x: Tensor) -> Tensor:
        """[B, 2 * channels, T] -> the same shape; apart, since it looks back further than a piece's context."""
        return self.block[self.convolutions :](x)


def encoder_reach(rates: tuple[int, ...]) -> int:
    """Samples that the encoder's convolutions look back, those after the transformer left out."""
    reach, samples_per_position = 6, 1
    for rate in rates:
        reach += samples_per_position * (UNIT_REACH + 2 * rate - 1)
        samples_per_position *= rate
    return reach
