"""From latents to codes and back: fewer frames, a semantic codebook, then residual ones.

Attributes carry upstream's names, since they are the keys of its checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kaiku.codecs.fish.layers import CausalConv, CausalUpsampling, ConvNeXtBlock
from kaiku.codecs.fish.sizes import Sizes
from kaiku.codecs.fish.transformer import WindowTransformer


class Codebook(nn.Module):
    """One factorised, L2-normalised codebook (Yu et al. 2021, arXiv:2110.04627)."""

    def __init__(self, channels: int, codes: int, dim: int):
        super().__init__()
        self.in_proj = nn.Conv1d(channels, dim, 1)
        self.out_proj = nn.Conv1d(dim, channels, 1)
        self.codebook = nn.Embedding(codes, dim)

    def encode(self, z: Tensor) -> Tensor:
        """[B, channels, T] -> int64 [B, T], the nearest entry by angle.

        The term of the entry's length is not idle: an entry of zeros stays one after normalisation.
        """
        direction = functional.normalize(self.in_proj(z), dim=1).transpose(1, 2)  # [B, T, dim]
        entries = functional.normalize(self.codebook.weight, dim=1)  # [codes, dim]
        distance = entries.square().sum(1) - 2 * direction @ entries.t()  # [B, T, codes]
        return distance.argmin(-1)

    def decode(self, codes: Tensor) -> Tensor:
        """int64 [B, T] -> [B, channels, T]; entries are looked up as they are, not normalised."""
        return self.out_proj(self.codebook(codes).transpose(1, 2))


class ResidualCodebooks(nn.Module):
    """Codebooks of which each quantises what the ones before left over."""

    def __init__(self, books: int, channels: int, codes: int, dim: int):
        super().__init__()
        self.quantizers = nn.ModuleList(Codebook(channels, codes, dim) for _ in range(books))

    def encode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """[B, channels, T] -> codes int64 [B, books, T] and what is left over [B, channels, T]."""
        codes = []
        for book in self.quantizers:
            codes.append(book.encode(z))
            z = z - book.decode(codes[-1])
        return torch.stack(codes, dim=1), z

    def decode(self, codes: Tensor) -> Tensor:
        """int64 [B, books, T] -> [B, channels, T]."""
        return sum(book.decode(codes[:, i]) for i, book in enumerate(self.quantizers))


class Quantiser(nn.Module):
    """Latents at `latent_hop` to codes at `hop` and back; books are the semantic one, then the residual ones."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        dim, rates = sizes.latent_dim, sizes.downsample_rates
        self.downsample = nn.Sequential(
            *(nn.Sequential(CausalConv(dim, dim, rate, stride=rate), ConvNeXtBlock(dim)) for rate in rates)
        )
        self.pre_module = WindowTransformer(sizes.pre_module)
        self.semantic_quantizer = ResidualCodebooks(1, dim, sizes.semantic_codes, sizes.codebook_dim)
        self.quantizer = ResidualCodebooks(sizes.residual_codebooks, dim, sizes.residual_codes, sizes.codebook_dim)
        self.post_module = WindowTransformer(sizes.post_module)
        self.upsample = nn.Sequential(
            *(nn.Sequential(CausalUpsampling(dim, dim, rate, stride=rate), ConvNeXtBlock(dim)) for rate in rates[::-1])
        )

    def encode(self, latents: Tensor) -> Tensor:
        """[B, dim, latent positions] -> int64 [B, books, frames]."""
        semantic, rest = self.semantic_quantizer.encode(self.pre_module(self.downsample(latents)))
        residual, _ = self.quantizer.encode(rest)
        return torch.cat([semantic, residual], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """int64 [B, books, frames] -> [B, dim, latent positions]."""
        z = self.semantic_quantizer.decode(codes[:, :1]) + self.quantizer.decode(codes[:, 1:])
        return self.upsample(self.post_module(z))
