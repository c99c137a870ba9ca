"""As fish-speech reads it: `SPEAKER/clip.wav` with its text in `clip.lab` and, where a codec is named, `clip.npy`.

Each split has a folder of its own, since fish-speech takes everything below the one it is given: give it `train`.
Tokens are int64 [codebooks, frames], as its own extraction writes them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from kaiku.exports import About, ExportClip
from kaiku.exports._audio import write_wav
from kaiku.exports._names import Names
from kaiku.strict import Strict

LIBRARIES: tuple[str, ...] = ()
NEEDS_TEXT = True
TAKES_TOKENS = True


class Settings(Strict):
    """The rate of the files, and where they stand."""

    sample_rate: int | None = Field(None, ge=4_000, le=192_000, description="Hz; null: each clip as recorded.")
    split_folders: bool = Field(
        True, description="A folder for each split. Off: speakers of all splits in one, where held-out clips train too."
    )


def write(clips: Iterator[ExportClip], about: About, folder: Path, settings: Settings) -> None:
    """Fill the folder."""
    speakers = Names()
    for clip in clips:
        speaker = clip.speaker or clip.corpus
        place = folder / (clip.split if settings.split_folders else "") / speakers.of(speaker, speaker)
        pcm = clip.pcm(settings.sample_rate)
        write_wav(place / f"{clip.name}.wav", pcm.levels, pcm.sample_rate)
        (place / f"{clip.name}.lab").write_text(clip.text, encoding="utf-8")
        if clip.codes is not None:
            np.save(place / f"{clip.name}.npy", np.ascontiguousarray(clip.codes().T, dtype=np.int64))
