"""Many readers and two microphones, as VCTK has them: `wav48_silence_trimmed/p225/p225_001_mic1.flac` and
`txt/p225/p225_001.txt`; in older releases `wav48/p225/p225_001.wav`, of one microphone.
"""

import posixpath
import re
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
    encoding_problems,
    recordings_of,
    text_problems,
    visible,
    whole,
    without_suffix,
)
from kaiku.layouts.wav_lab import parse_lab

PRECUT = True
MIC = re.compile(r"(.*)_(mic\d+)")


class Settings(LayoutSettings):
    """Which microphone is taken; without `speaker`, it is the first field of a clip's name."""

    mic: Literal["mic1", "mic2", "both"] = Field(
        "mic1", description="mic1: omni-directional; mic2: condenser of wide band, which speakers p280 and p315 lack."
    )


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file of the microphone, with the text of its sentence; extras: the microphone."""
    files = visible(files)
    audio = audio_files(files)
    wanted = [path for path in audio if settings.mic == "both" or _mic(path) in ("", settings.mic)]
    texts = {_sentence(path): path for path in sorted(files, reverse=True) if _is_text(path)}
    yield from _without_mic(audio, wanted, settings)
    yield from _without_audio(texts, audio)
    given = {}
    for path in wanted:
        text, encoding = "", "utf-8"
        if _sentence(path) in texts:
            where = texts[_sentence(path)]
            text, encoding = read(where, parse_lab)
            yield from encoding_problems(where, encoding)
            yield from text_problems(where, text)
        else:
            yield Problem(path, "has no text under txt/", "Add its text; until then it is kept without.")
        given[path] = Given(whole(text), extras={"mic": _mic(path)} if _mic(path) else {})
    yield from recordings_of(wanted, given, settings, _speaker)


def _without_mic(audio: list[str], wanted: list[str], settings: Settings) -> Iterator[Problem]:
    for speaker in sorted({_speaker(path) for path in audio} - {_speaker(path) for path in wanted}):
        first = next(path for path in audio if _speaker(path) == speaker)
        yield Problem(first, f"is of {speaker}, who has no {settings.mic}", "Take the other with `mic:` if wanted.")


def _without_audio(texts: dict[str, str], audio: list[str]) -> Iterator[Problem]:
    for sentence in sorted(texts.keys() - {_sentence(path) for path in audio}):
        yield Problem(texts[sentence], "belongs to no recording", "Add the recording, or remove the text.")


def _is_text(path: str) -> bool:
    return path.endswith(".txt") and "txt" in path.split("/")[:-1]


def _mic(path: str) -> str:
    found = MIC.fullmatch(without_suffix(posixpath.basename(path)))
    return found[2] if found else ""


def _sentence(path: str) -> str:
    name = without_suffix(posixpath.basename(path))
    found = MIC.fullmatch(name)
    return found[1] if found else name


def _speaker(path: str) -> str:
    speaker, further, _ = posixpath.basename(path).partition("_")
    return speaker if further else ""


def tiny(folder: Path) -> None:
    """Three clips of two speakers, one of them without text."""
    texts = {"p225/p225_001": "Please call Stella.", "p226/p226_001": "Please call Stella.", "p226/p226_002": None}
    for path, text in texts.items():
        clip = folder / "wav48_silence_trimmed" / f"{path}_mic1.flac"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"")
        if text:
            written = folder / "txt" / f"{path}.txt"
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text + "\n", encoding="utf-8")
