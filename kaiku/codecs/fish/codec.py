"""The whole codec: the half that gives codes, and the half that gives sound."""

import numpy as np
import torch

from kaiku.codecs import checked_codes
from kaiku.codecs.fish import LICENCE
from kaiku.codecs.fish.checkpoint import State
from kaiku.codecs.fish.decoder import Decoder
from kaiku.codecs.fish.encoding import EncodingNetwork, FishEncoder
from kaiku.codecs.fish.sizes import Sizes
from kaiku.exact import exact_fp32


class Network(EncodingNetwork):
    """Encoder, quantiser and decoder; made on the meta device, to be filled from a checkpoint."""

    def __init__(self, sizes: Sizes):
        with torch.device("meta"):
            super().__init__(sizes)
            self.decoder = Decoder(sizes)


class FishCodec(FishEncoder):
    """openaudio-s1-mini's codec: encodes and decodes one clip per call."""

    name = "fish"
    licence = LICENCE
    decodes = True
    streams = False

    def __init__(self, sizes: Sizes, state: State, *, device: str = "auto"):
        """KaikuError where the checkpoint's tensors are not those that `sizes` asks for."""
        super().__init__(Network(sizes), sizes, state, device=device)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """uint16 [frames, books] -> float32 [frames * hop] at `sample_rate`.

        Raises CorruptFile for codes beyond a book's size, which upstream would quietly take for its last code.
        """
        codes = checked_codes(codes, self.codebook_sizes)
        with exact_fp32():
            latents = self.network.quantizer.decode(torch.from_numpy(codes).to(self.device).t()[None])
            wav = self.network.decoder(latents)[0, 0]
        return wav.cpu().numpy()
