"""Clips with their text beside them: `SPEAKER/clip.wav` + `SPEAKER/clip.lab` (or `.txt`), as MFA has it.

Codec tokens beside a clip (`clip.npy`) are named in its extras as `tokens`.
"""

import posixpath
from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.layouts import (
    LayoutSettings,
    Problem,
    Read,
    Recording,
    Span,
    audio_files,
    decode_text,
    encoding_problems,
    name_recordings,
    one_line,
    text_problems,
    visible,
    without_speaker,
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
    ids, problems = name_recordings(audio)
    yield from problems
    yield from _labs_without_audio(files, audio)
    recordings = []
    for path in audio:
        stem, text = without_suffix(path), ""
        beside = next((f for f in (f"{stem}.lab", f"{stem}.txt") if f in files), None)
        if beside is None:
            yield Problem(path, "has no .lab or .txt beside it", "Add its text; until then it is kept without.")
        else:
            text, encoding = read(beside, parse_lab)
            yield from encoding_problems(beside, encoding)
            yield from text_problems(beside, text)
        speaker = settings.speaker or posixpath.basename(posixpath.dirname(path))
        texts = (Span(None, None, text),) if text else ()
        extras = {"tokens": f"{stem}.npy"} if f"{stem}.npy" in files else {}
        recordings.append(Recording(ids[path], path, speaker, settings.language, texts, extras))
    yield from without_speaker(recordings)
    yield from recordings


def _labs_without_audio(files: frozenset[str], audio: list[str]) -> Iterator[Problem]:
    stems = {without_suffix(path) for path in audio}
    for lab in sorted(f for f in files if f.endswith(".lab") and without_suffix(f) not in stems):
        yield Problem(lab, "has no audio beside it", "Add the recording, or remove the text.")


def tiny(folder: Path) -> None:
    """Two speakers, two clips with text, one without."""
    for name, text in {"SPK1/one.wav": "yksi", "SPK1/two.flac": "kaksi", "SPK2/one.wav": None}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        if text:
            path.with_suffix(".lab").write_text(text + "\n", encoding="utf-8")
