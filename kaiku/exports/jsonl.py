"""One JSON object a clip, as trainers of codecs and of CSM read it: `metadata.jsonl` and `audio/`, by default 24 kHz.

Fields: audio (path from the folder), text, speaker, language, duration (seconds), licence, split, corpus.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from kaiku.exports import About, ExportClip
from kaiku.exports._audio import flac_bytes, write_wav
from kaiku.exports._tables import json_line, lines
from kaiku.strict import Strict

LIBRARIES: tuple[str, ...] = ()
NEEDS_TEXT = False
TAKES_TOKENS = False


class Settings(Strict):
    """The form of the files, and the names of two fields that readers differ in."""

    sample_rate: int | None = Field(24_000, ge=4_000, le=192_000, description="Hz; null: each clip as recorded.")
    audio: Literal["wav", "flac"] = Field("wav", description="Form of the audio files, both 16 bit.")
    audio_field: str = Field("audio", description="What the path is called; NeMo: `audio_filepath`.")
    language_field: str = Field("language", description="What the language is called; NeMo: `lang`.")

    @model_validator(mode="after")
    def _names_differ(self) -> "Settings":
        names = [self.audio_field, self.language_field, "text", "speaker", "duration", "licence", "split", "corpus"]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two fields would be called {', '.join(sorted(twice))}: give one of them another name")
        return self


def write(clips: Iterator[ExportClip], about: About, folder: Path, settings: Settings) -> None:
    """Fill the folder."""
    with lines(folder) as tables:
        for clip in clips:
            pcm, path = clip.pcm(settings.sample_rate), f"audio/{clip.name}.{settings.audio}"
            if settings.audio == "wav":
                write_wav(folder / path, pcm.levels, pcm.sample_rate)
            else:
                (folder / "audio").mkdir(exist_ok=True)
                (folder / path).write_bytes(flac_bytes(pcm.levels, pcm.sample_rate))
            said = {
                settings.audio_field: path,
                "text": clip.text,
                "speaker": clip.speaker,
                settings.language_field: clip.language,
                "duration": round(pcm.duration_s, 6),
                "licence": clip.licence,
                "split": clip.split,
                "corpus": clip.corpus,
            }
            tables.add("metadata.jsonl", json_line(said))
