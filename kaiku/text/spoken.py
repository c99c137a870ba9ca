"""A clip's text as checks of texts see it, with what they may measure it by."""

from dataclasses import dataclass, field

import numpy as np

SAMPLE_RATE = 16000
"""Hz of the audio beside a text."""


@dataclass(frozen=True)
class SpokenText:
    """What is said in a clip, normalised, and in which language (BCP 47; the recording's, else as it was heard).

    The other fields are filled for checks that name them in `USES`: text_raw; confidence (0..1, None: cannot be said);
    speech_s, seconds of speech (None: not measurable); second, the same clip's text by another transcriber (None: one
    of the two failed); audio, float32 [samples] at SAMPLE_RATE.
    """

    text: str
    language: str
    text_raw: str = ""
    confidence: float | None = None
    speech_s: float | None = None
    second: str | None = None
    audio: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
