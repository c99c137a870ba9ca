"""A random openaudio checkpoint of a hundred kilobytes, for tests: every file and name as upstream's."""

import base64
from pathlib import Path

import torch

from kaiku.families.fish.checkpoint import write_model
from kaiku.families.fish.config import DualARConfig
from kaiku.families.fish.model import DualAR
from kaiku.families.fish.tokenizer import UPSTREAM_SPECIALS, TiktokenTokenizer

CODEBOOK_SIZES = (64, 32, 32)


def write_tiny(folder: Path) -> Path:
    """Write the checkpoint: bytes as ranks, 3 codebooks, both heads, queries and keys normalised in the slow stack."""
    ranks = b"".join(b"%s %d\n" % (base64.b64encode(bytes([i])), i) for i in range(256))
    semantic = [f"<|semantic:{i}|>" for i in range(CODEBOOK_SIZES[0])]
    tokenizer = TiktokenTokenizer(ranks, [*UPSTREAM_SPECIALS, *semantic], where=str(folder))
    config = DualARConfig(
        vocab_size=tokenizer.size + 9,  # upstream pads its vocabulary as well
        n_layer=2, n_head=4, n_local_heads=2, head_dim=8, dim=32, intermediate_size=64, max_seq_len=512,
        n_fast_layer=1, fast_n_head=2, fast_n_local_heads=1, fast_head_dim=8, fast_dim=24, fast_intermediate_size=48,
        codebook_size=CODEBOOK_SIZES[0], num_codebooks=len(CODEBOOK_SIZES), codebook_sizes=list(CODEBOOK_SIZES),
        initializer_range=0.2,
    )  # fmt: skip
    write_model(random_model(config, seed=0), tokenizer, folder, pickle=False)
    return folder


def random_model(config: DualARConfig, *, seed: int) -> DualAR:
    """A model with random weights of the seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DualAR(config)
