"""A folder of noise recordings: known by their content, drawn clip by clip, read in the part that is needed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kaiku.audio.decode import SUFFIXES, mono, open_audio, probe
from kaiku.audio.resample import resample
from kaiku.errors import KaikuError
from kaiku.listing import visible_files

LIBRARIES = ("numpy", "soundfile", "soxr")


def noise_files(folder: Path) -> list[Path]:
    """The recordings of a folder, at any depth. Raises KaikuError where there are none."""
    found = [path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise KaikuError(
            f"{folder}: no noise recordings", expected="a folder with audio files", remedy="Mend the noise's `folder:`."
        )
    return found


def drawn_noise(noises: Mapping[str, Path], clip: str) -> str:
    """The digest of the noise that a clip draws: another recording in the folder moves only the clips that draw it."""
    return max(noises, key=lambda noise: hashlib.blake2b(f"{clip}\0{noise}".encode(), digest_size=8).digest())


def excerpt(path: Path, samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """float32 [samples] from a random place of a recording, which is repeated where it is shorter than that."""
    info = probe(path)
    wanted = min(info.frames, -(-samples * info.sample_rate // sample_rate) + 1)
    start = int(generator.integers(0, info.frames - wanted + 1))
    parts, at = [], 0
    with open_audio(path) as audio:
        for block in audio.blocks():
            if at < start + wanted and at + len(block) > start:
                parts.append(mono(block[max(0, start - at) : start + wanted - at]))
            at += len(block)
            if at >= start + wanted:
                break
    found = resample(np.concatenate(parts), info.sample_rate, sample_rate)
    if not np.any(found):
        raise KaikuError(
            f"{path}: digital silence where noise was drawn ({start / info.sample_rate:.2f} s)",
            expected="noise throughout",
            remedy="Take the recording out of the folder, or cut the silence off.",
        )
    return np.resize(found, samples)
