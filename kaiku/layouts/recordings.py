"""Long recordings in any format: `SPEAKER/talk.mp3`, perhaps with captions beside them: `talk.vtt`, `talk.fi.vtt`."""

from collections.abc import Collection, Iterator
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.layouts import (
    Given,
    LayoutSettings,
    Problem,
    Read,
    Recording,
    Span,
    audio_files,
    decode_text,
    encoding_problems,
    recordings_of,
    visible,
    with_suffix,
    without_suffix,
)
from kaiku.text import vtt

PRECUT = False


class Settings(LayoutSettings):
    """Nothing beyond what every layout has; without `speaker`, it is the first folder in a recording's path."""


def parse_captions(data: bytes) -> dict[str, list | str]:
    """{cues: [[start_s, end_s, text], ...], encoding, error}: the error says what is no WebVTT, with its line."""
    text, encoding = decode_text(data)
    try:
        return {"cues": [list(cue) for cue in vtt.parse(text)], "encoding": encoding, "error": ""}
    except KaikuError as fault:
        return {"cues": [], "encoding": encoding, "error": str(fault)}


def discover(files: Collection[str], read: Read, settings: Settings) -> Iterator[Recording | Problem]:
    """One recording for each audio file; its texts are the captions beside it, those without a language first."""
    files = visible(files)
    audio = audio_files(files)
    named = with_suffix(files, ".vtt")
    given, used = {}, set()
    for path in audio:
        stem = without_suffix(path)
        captions = named.get(stem) or named.get(f"{stem}.{settings.language}")
        if captions:
            used.add(captions)
            parsed = read(captions, parse_captions)
            yield from _caption_problems(captions, parsed)
            given[path] = Given(tuple(Span(*cue) for cue in parsed["cues"]))
    for captions in sorted(f for f in files if f.lower().endswith(".vtt") and f not in used):
        yield Problem(captions, "belongs to no recording", "Give it the name of its recording, with the suffix .vtt.")
    yield from recordings_of(audio, given, settings, lambda path: path.rpartition("/")[0].split("/")[0])


def _caption_problems(captions: str, parsed: dict) -> Iterator[Problem]:
    if parsed["error"]:
        yield Problem(captions, parsed["error"], "Mend the file; until then its recording is taken without given text.")
    elif not parsed["cues"]:
        yield Problem(captions, "holds no captions", "Fill or remove it; its recording is taken without given text.")
    yield from encoding_problems(captions, parsed["encoding"])


def tiny(folder: Path) -> None:
    """Two recordings of one speaker, one of them with captions."""
    (folder / "aino").mkdir(parents=True)
    for name in ("talk.mp3", "story.flac"):
        (folder / "aino" / name).write_bytes(b"")
    captions = "WEBVTT\n\n00:00.500 --> 00:02.000\nhyvää päivää\n\n00:02.500 --> 00:04.000\nkiitos\n"
    (folder / "aino" / "talk.vtt").write_text(captions, encoding="utf-8")
