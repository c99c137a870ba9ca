"""Tokens that came with a corpus: what their files hold, and whether they are a codec's tokens of their clips.

fish-speech's extraction leaves `clip.npy` beside `clip.wav`: integers [codebooks, frames], the codec's codes of the
whole file. Where they are what the codec would give in form, they are adopted, and no clip is encoded.
"""

import io
import math
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from kaiku.strict import Strict, speed_only

LIBRARIES = ()  # integers are copied: no version of NumPy does that differently
LEAST_EQUAL = 0.2
"""Share of a clip's frames whose first code must be what the codec gives. Another resampler or card changes some codes;
of another codec or other weights next to none is the same."""

MOST_BYTES = 64 << 20
"""Of a file with tokens: 10 hours of 10 codebooks as int64. What is larger is something else, and is not read."""

MOST_CODEBOOKS = 64
"""Rows of an array of which each one's codes are told; one of more is no table of codes by codebook."""


class GivenTokens(Strict):
    """Tokens that stand beside a corpus' recordings."""

    codec: str = Field(description="The codec that made them; tokens of any other codec are computed as ever.")
    suffix: str = Field(
        ".npy", pattern=r"^\.[^/]+$", description="What their files are called, after the recording's own name."
    )
    tolerance_frames: int = Field(
        1,
        ge=0,
        description="frames; how far their number may be from the length of the clip: resamplers differ by a sample",
    )
    verify: int = speed_only(
        0,
        ge=0,
        description="clips of each job that are encoded all the same, to see that these are the codec's own tokens: "
        "the job ends where they are another's. 0 takes your word for it.",
    )


@dataclass(frozen=True)
class Form:
    """What a file of tokens holds. highest: greatest value of each row, where it is a table; error: why it is none."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    lowest: int = 0
    highest: tuple[int, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Geometry:
    """What the tokens of a codec look like: codes in each book, samples per frame, Hz."""

    codebook_sizes: tuple[int, ...]
    hop: int
    sample_rate: int

    def frames(self, seconds: float) -> int:
        """Frames of a clip; the last one is filled up."""
        return math.ceil(round(seconds * self.sample_rate, 3) / self.hop)


def form(data: bytes) -> Form:
    """What the bytes of a `.npy` hold."""
    try:
        array = _array(data)
    except Exception as error:  # numpy has no one error for what is no array of its own
        return Form(error=f"is no array that NumPy reads ({type(error).__name__}: {error})")
    shape = tuple(int(size) for size in array.shape)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iu" or shape[0] > MOST_CODEBOOKS:
        return Form(str(array.dtype), shape)
    return Form(str(array.dtype), shape, int(array.min()), tuple(int(value) for value in array.max(axis=1)))


def refusal(found: Form, codec: Geometry, seconds: float, tolerance_frames: int) -> str:
    """Why an array cannot be a codec's tokens of a clip this long, as the rest of a sentence; empty where it can."""
    if found.error:
        return found.error
    books, shape = len(codec.codebook_sizes), list(found.shape)
    wanted = f"expected integers [{books} codebooks, {codec.frames(seconds)} frames]"
    if len(shape) != 2 or shape[0] != books:
        turned = " (it stands as [frames, codebooks])" if len(shape) == 2 and shape[1] == books else ""
        return f"has the shape {shape}{turned}; {wanted}"
    if not found.highest:
        return f"holds {found.dtype} of the shape {shape}; {wanted}"
    if found.lowest < 0:
        return f"holds {found.lowest}; codes begin at 0"
    for book, (highest, size) in enumerate(zip(found.highest, codec.codebook_sizes, strict=True)):
        if highest >= size:
            return f"holds {highest} in codebook {book}, whose codes end at {size - 1}"
    if abs(shape[1] - codec.frames(seconds)) > tolerance_frames:
        return (
            f"has {shape[1]} frames; the codec makes {codec.frames(seconds)} of {seconds:.3f} s, "
            f"and {tolerance_frames} more or less may be"
        )
    return ""


def codes(data: bytes) -> bytes:
    """The tokens in a `.npy` that was not refused, as little-endian uint16 [frames, codebooks]."""
    import numpy as np

    return np.ascontiguousarray(_array(data).T, dtype="<u2").tobytes()


def _array(data: bytes) -> Any:
    import numpy as np

    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
