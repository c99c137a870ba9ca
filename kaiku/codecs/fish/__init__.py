"""The codec of openaudio-s1-mini ("modded DAC"): 44.1 kHz, 21.5 frames a second, one semantic and nine residual codes.

Reads upstream's own `codec.pth`; gives the codes that upstream gives, for clips of any length.
Architecture after fish-speech at d3df505 (Apache-2.0), built on DAC (Kumar et al. 2023, arXiv:2306.06546).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kaiku.strict import Strict, speed_only

if TYPE_CHECKING:
    from kaiku.codecs.fish.codec import FishCodec

LIBRARIES = ("torch",)
ENCODER_MODULE = "kaiku.codecs.fish.encoding"
FILES = ("codec.pth", "codec_config.yaml")
LICENCE = "CC-BY-NC-SA-4.0"  # of the weights: non-commercial, and so is what is made with them


class Settings(Strict):
    """Nothing to choose but where it runs: sizes and weights come with the checkpoint."""

    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="auto: the GPU where there is one")


def load(settings: Settings, folder: Path) -> "FishCodec":
    """The codec whose `codec.pth` stands in `folder`.

    Sizes are those of s1-mini, or what a `codec_config.yaml` beside it says.
    Raises KaikuError where a file is missing or the checkpoint does not hold exactly the expected tensors.
    """
    from kaiku.codecs.fish.checkpoint import read_checkpoint
    from kaiku.codecs.fish.codec import FishCodec
    from kaiku.codecs.fish.sizes import read_sizes

    return FishCodec(read_sizes(folder), read_checkpoint(folder / "codec.pth"), device=settings.device)


def tiny(folder: Path) -> "FishCodec":
    """Write a codec of tiny random weights into `folder` in upstream's layout, and load it."""
    from kaiku.codecs.fish.checkpoint import write_random
    from kaiku.codecs.fish.codec import Network
    from kaiku.codecs.fish.sizes import TINY, write_sizes

    write_sizes(folder, TINY)
    write_random(folder / "codec.pth", Network(TINY), seed=0)
    return load(Settings(device="cpu"), folder)
