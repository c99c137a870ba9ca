"""What a job takes of its node's memory, by the weights that it loads: what a cluster is asked for.

Counted on a model of openaudio-s1-mini's sizes with random weights, 1.6 GB in bf16: 5.2 GB at the peak of a training
step with an adapter on the CPU, 5.1 GB in merging. Weights in bf16 are computed with in float32, and read once more.
"""

from pathlib import Path

from kaiku.listing import visible_files

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
TIMES_WEIGHTS = 3


def weight_bytes(folder: Path) -> int:
    """Size of the weight files in a folder, at any depth; 0 where it is not there."""
    return sum(path.stat().st_size for path in visible_files(folder) if path.suffix in SUFFIXES)


def memory_mb(beside: int, *folders: Path | None) -> int:
    """MB of a job that loads the weights in some folders. beside: MB that it takes without them."""
    return beside + TIMES_WEIGHTS * sum(weight_bytes(folder) for folder in folders if folder) // 10**6
