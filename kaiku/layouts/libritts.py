"""Audio books as LibriTTS has them: `<part>/<speaker>/<chapter>/<id>.wav` with `<id>.normalized.txt` and
`<id>.original.txt` beside it, where an id is `<speaker>_<chapter>_<paragraph>_<number>`.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from kaiku.layouts import (
    Given,
    LayoutSettings,
    Problem,
    Read,
    Recording,
    audio_files,
    beside,
    encoding_problems,
    recordings_of,
    text_problems,
    visible,
    whole,
)
from kaiku.layouts._tables import id_field
from kaiku.layouts.wav_lab import parse_lab

PRECUT = True


class Settings(LayoutSettings):
    """Which of the two texts counts; without `speaker`, it is the first field of a clip's id."""

    text: Literal["normalized", "original"] = Field(
        "normalized", description="Which text is taken, by its suffix: `normalized` has numbers spelled out."
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file, with the text beside it; extras: the part (`train-clean-100`)."""
    files = visible(files)
    audio, suffix = audio_files(files), f".{settings.text}.txt"
    texts = beside(files, suffix)
    given = {}
    for path in audio:
        part = "/".join(path.split("/")[:-3]).rpartition("/")[2]
        text, encoding = read(texts[path], parse_lab) if path in texts else ("", "utf-8")
        if path in texts:
            yield from encoding_problems(texts[path], encoding)
            yield from text_problems(texts[path], text)
        else:
            yield Problem(path, f"has no {suffix} beside it", "Add its text; until then it is kept without.")
        given[path] = Given(whole(text), extras={"part": part} if part else {})
    yield from recordings_of(audio, given, settings, _speaker)


def _speaker(path: str) -> str:
    return id_field(path, "_", 0, of=4)


def tiny(folder: Path) -> None:
    """Three clips of two readers, one of them without text."""
    texts = {
        "19/198/19_198_000000_000000": ("Chapter 1.", "Chapter one."),
        "26/495/26_495_000004_000001": ("Some time ago.", "Some time ago."),
        "26/495/26_495_000004_000002": None,
    }
    for path, both in texts.items():
        clip = folder / "train-clean-100" / f"{path}.wav"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"")
        for suffix, text in zip((".original.txt", ".normalized.txt"), both or ()):
            clip.with_suffix(suffix).write_text(text, encoding="utf-8")
