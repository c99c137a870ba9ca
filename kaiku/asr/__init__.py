"""Transcribers: the text spoken in a clip, given or recognised, one module each.

An asr module exposes `Settings` (Strict), `NEEDS` ("text": the recording's given texts; "audio": the clip's samples),
`load(settings, folder) -> Transcriber` (folder: the model's files, None where there are none) and `tiny(folder)`
(random weights that `load` reads, and the settings to load them with). `NEEDS_MODEL`, where it is true, refuses a
configuration that names no model.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kaiku.text.overlap import Span

SAMPLE_RATE = 16000
"""Hz of the audio that transcribers hear."""


@dataclass(frozen=True)
class Spoken:
    """A clip as a transcriber takes it: where it lies in its recording, and what the transcriber needs of it.

    language: BCP 47; for one that hears, what its setting `language` says, else the clip's without region (pt-PT: pt).
    """

    start_s: float
    end_s: float
    recording_s: float
    language: str
    spans: tuple[Span, ...] = ()
    audio: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)  # [samples] at SAMPLE_RATE


@dataclass(frozen=True)
class Transcript:
    """What is said in a clip, as given or recognised, and how sure that is (0..1, None: cannot be said).

    No transcriber normalises: that is done where the table is written, so that an edited spelling makes nobody listen.
    """

    text_raw: str
    confidence: float | None
    language: str


class Transcriber(Protocol):
    """Turns one clip into its text; the same clip gives the same text.

    One that hears several clips at once has `batch_size` above 1 and `transcribe_batch(clips)`, which returns a
    transcript for each; where a batch changes results in the last digits, its size is a setting that enters the key.
    One that may be called from several threads at once has `workers`, how many; what a batch comes to does not depend
    on others that are heard beside it. Its settings `workers` (a number or `auto`) and `gpus` are `speed_only`; `load`
    gets them as the memory that is free and the GPUs that were claimed allow.
    """

    def transcribe(self, clip: Spoken) -> Transcript:
        """The text of a clip."""
        ...
