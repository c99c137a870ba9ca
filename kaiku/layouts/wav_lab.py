"""Clips with their text beside them: `SPEAKER/clip.wav` + `SPEAKER/clip.lab` (or `.txt`), as MFA has it."""

import posixpath
from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.layouts import (
    Given,
    LayoutSettings,
    Problem,
    Read,
    Recording,
    audio_files,
    beside,
    decode_text,
    encoding_problems,
    one_line,
    recordings_of,
    text_problems,
    visible,
    whole,
    without_suffix,
)

PRECUT = True


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; without `speaker`, it is the name of the folder a clip lies in."""


def parse_lab(data: bytes) -> list[str]:
    """The text of one clip on one line, and its encoding."""
    text, encoding = decode_text(data)
    return [one_line(text), encoding]


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file; its text from the `.lab` beside it, else from the `.txt`."""
    files = visible(files)
    audio = audio_files(files)
    labs = beside(files, ".txt") | beside(files, ".lab")
    yield from _labs_without_audio(files, audio)
    given = {}
    for path in audio:
        if path not in labs:
            yield Problem(path, "has no .lab or .txt beside it", "Add its text; until then it is kept without.")
            continue
        text, encoding = read(labs[path], parse_lab)
        yield from encoding_problems(labs[path], encoding)
        yield from text_problems(labs[path], text)
        given[path] = Given(whole(text))
    yield from recordings_of(audio, given, settings, lambda path: posixpath.basename(posixpath.dirname(path)))


def _labs_without_audio(files: Collection[str], audio: list[str]) -> Iterator[Problem]:
    stems = {without_suffix(path) for path in audio}
    for lab in sorted(f for f in files if f.lower().endswith(".lab") and without_suffix(f) not in stems):
        yield Problem(lab, "has no audio beside it", "Add the recording, or remove the text.")


def tiny(folder: Path) -> None:
    """Two speakers, two clips with text, one without."""
    for name, text in {"SPK1/one.wav": "yksi", "SPK1/two.flac": "kaksi", "SPK2/one.wav": None}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        if text:
            path.with_suffix(".lab").write_text(text + "\n", encoding="utf-8")
