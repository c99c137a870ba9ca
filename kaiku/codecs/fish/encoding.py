"""The half of the codec that gives codes: all that a code depends on stands in this module and what it imports."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kaiku.codecs import checked_audio
from kaiku.codecs.fish.checkpoint import State, fill
from kaiku.codecs.fish.encoder import Encoder
from kaiku.codecs.fish.quantiser import Quantiser
from kaiku.codecs.fish.resample import resample
from kaiku.codecs.fish.sizes import Sizes
from kaiku.devices import torch_device
from kaiku.exact import exact_fp32
from kaiku.store.digest import of_bytes, of_value

LIBRARIES = ("torch",)
CODES_FOLLOW_FROM = (  # the tensors that a code depends on; the rest only turns codes into sound
    "encoder.",
    "quantizer.downsample.",
    "quantizer.pre_module.",
    "quantizer.semantic_quantizer.",
    "quantizer.quantizer.",
)
SOUND_ONLY = {"decoder_dim", "decoder_rates", "post_module"}
PREPROCESSING = {"padding": "zeros on the right to whole frames", "dtype": "float32", "tf32": False}


class EncodingNetwork(nn.Module):
    """Encoder and quantiser, under upstream's names."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.encoder = Encoder(sizes)
        self.quantizer = Quantiser(sizes)


class FishEncoder:
    """Codes of one clip per call.

    sample_rate: Hz. hop: samples per frame. codebook_sizes: the semantic book, then the residual ones.
    """

    def __init__(self, network: EncodingNetwork, sizes: Sizes, state: State, *, device: str):
        """Fills `network`; KaikuError where the checkpoint's tensors are not the network's."""
        fill(network, state)
        self.device = torch.device(torch_device(device))
        self.network = network.to(self.device)
        self.digest = encoder_digest(sizes, state)
        self.sample_rate = sizes.sample_rate
        self.hop = sizes.hop
        self.codebook_sizes = sizes.codebook_sizes

    def resample(self, wav: np.ndarray, sample_rate: int) -> np.ndarray:
        """float32 [samples] at any rate in Hz -> float32 [samples] at the codec's, with upstream's own filter."""
        return resample(checked_audio(wav), sample_rate, self.sample_rate)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """float32 [samples] at `sample_rate` -> uint16 [ceil(samples / hop), books].

        The last frame is filled up with zeros; the network is causal, so that no other frame notices.
        """
        wav = checked_audio(wav)
        with exact_fp32():
            x = torch.from_numpy(wav).to(self.device)
            x = functional.pad(x, (0, -len(wav) % self.hop))
            codes = self.network.quantizer.encode(self.network.encoder(x[None, None]))[0]  # [books, frames]
        return np.ascontiguousarray(codes.t().cpu().numpy().astype(np.uint16))


def encoder_digest(sizes: Sizes, state: State) -> str:
    """Digest of all that codes follow from: tensors as stored, sizes, padding, precision.

    Taken over the stored tensors, not the folded ones, so that it is the same on every machine.
    """
    tensors = [
        [name, str(state[name].dtype), list(state[name].shape), of_bytes(_raw(state[name]))]
        for name in sorted(state)
        if name.startswith(CODES_FOLLOW_FROM)
    ]
    return of_value([sizes.model_dump(mode="json", exclude=SOUND_ONLY), PREPROCESSING, tensors])


def _raw(tensor: Tensor) -> memoryview:
    return memoryview(tensor.contiguous().view(-1).view(torch.uint8).numpy())
