"""The "env" codec: no gradient in the encoder, one minute to train on a CPU, for the toy and for tests.

Level 0 says which spectral envelope a frame has and nothing about phase, so that text can predict it; the levels above
code what the envelope leaves, and a small causal network mends the decoded spectrum. A codec whose first level holds
phase gives a toy whose loss falls while it says nothing.

Decoded audio lags the input by one hop, as in any codec of overlapping windows that looks at no future sample.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from kaiku.progress import track
from kaiku.strict import Strict

if TYPE_CHECKING:
    from kaiku.codecs.env.codec import EnvCodec

ENCODER_MODULE = "kaiku.codecs.env.quantiser"


class Settings(Strict):
    """How an env codec is laid out and fitted."""

    sample_rate: int = Field(16000, ge=4000, description="Hz of the audio it codes")
    hop: int = Field(640, ge=32, description="samples per frame; a window is two hops")
    levels: int = Field(3, ge=2, description="codebooks: one of envelopes, the rest residual")
    codebook_size: int = Field(128, ge=2, le=65536, description="codes per codebook")
    envelope_exponent: float = Field(0.3, ge=0, le=1, description="how far the envelope whitens the residual levels")
    post_width: int = Field(160, ge=8, description="channels of the post-net")
    post_steps: int = Field(400, ge=0, description="optimiser steps of the post-net, 8 x 1 s each; 0 leaves it idle")
    fit_s: float = Field(1200, gt=0, description="seconds of audio to fit on; of more, a seeded draw of clips")
    seed: int = Field(0, ge=0, description="of every random draw in fitting")


def load(settings: Settings, folder: Path) -> "EnvCodec":
    """The codec that stands in `folder`; a KaikuError where there is none or `settings` say another layout."""
    from kaiku.codecs.env.codec import EnvCodec

    return EnvCodec.load(Path(folder), settings)


def tiny(folder: Path) -> "EnvCodec":
    """Random weights in the default layout, with a narrow post-net."""
    from kaiku.codecs.env import codec

    settings = Settings(post_width=8)
    codec.write_random(settings, Path(folder))
    return load(settings, folder)


def fit(
    settings: Settings,
    clips: Sequence[np.ndarray],
    folder: Path,
    *,
    held_out: Sequence[np.ndarray] = (),
    progress: Callable = track,
) -> "EnvCodec":
    """Fit a codec to clips (float32 `[samples]` at the codec's rate), write it and `metrics.json`, and load it.

    `held_out` clips are measured, never fitted on. Same clips and settings, same bytes. `progress` is called like
    `kaiku.progress.track`. Raises KaikuError where the clips hold fewer frames than a codebook has codes.
    """
    from kaiku.codecs.env import fitting

    fitting.fit(settings, clips, Path(folder), held_out=held_out, progress=progress)
    return load(settings, folder)
