"""Layouts: how a folder of recordings and their texts is laid out, one module each (a module `_name` is none).

A layout module exposes `Settings` (a LayoutSettings), `PRECUT` (True where a recording is a clip already),
`tiny(folder)` (writes the smallest corpus of its kind; the audio files hold no sound) and

    discover(files, read, settings) -> Iterator[Recording | Problem]

files: every path under the corpus root, relative, posix. read(path, parse): parse(bytes of that file), remembered by
the file's times and the name of `parse`, hence a pure function at module level, with a result of plain JSON values.
discover itself never touches the disk, and yields the same for any order of files.
"""

import hashlib
import posixpath
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from kaiku.strict import Strict
from kaiku.text.overlap import Span

__all__ = [
    "AUDIO_SUFFIXES",
    "Given",
    "LayoutSettings",
    "Problem",
    "Read",
    "Recording",
    "Span",
    "audio_files",
    "beside",
    "decode_text",
    "encoding_problems",
    "name_recordings",
    "one_line",
    "recordings_of",
    "text_problems",
    "visible",
    "whole",
    "with_suffix",
    "without_suffix",
]

AUDIO_SUFFIXES = frozenset(
    {".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov"}
    | {".mp2", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".wave", ".webm", ".wma"}
)
"""Suffixes, in lower case, by which a file is taken for a recording."""

LONGEST_TEXT = 2000
"""Characters in the text of one clip above which something else than a transcript is likely."""

LONGEST_ID = 160
"""Bytes of an id; a file system allows 255 for a name, and clips and takes append to it."""

Read = Callable[[str, Callable[[bytes], Any]], Any]


class LayoutSettings(Strict):
    """What the corpus says of all its recordings."""

    speaker: str = Field(
        "", description="Speaker of every recording; empty: the layout finds it, in most by folder name."
    )
    language: str = Field(
        "und", description="Language of every recording as a BCP 47 tag; `und` where it is not known."
    )


@dataclass(frozen=True)
class Recording:
    """One audio file: its id (unique in its corpus, safe as a file name), relative path, and what is given of it."""

    id: str
    path: str
    speaker: str
    language: str
    texts: tuple[Span, ...] = ()
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What a corpus' texts and tables say of one recording; where they say nothing, its settings do."""

    texts: tuple[Span, ...] = ()
    speaker: str = ""
    language: str = ""
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something that a user should look at: which file, what is wrong, what to do. Never a reason to stop."""

    where: str
    what: str
    remedy: str


def visible(files: Iterable[str]) -> frozenset[str]:
    """The files that are not hidden, and in no hidden folder (`.Trash/`, macOS' `._name.wav`)."""
    return frozenset(f for f in files if not any(part.startswith(".") for part in f.split("/")))


def audio_files(files: Iterable[str]) -> list[str]:
    """The recordings among the files, sorted by path."""
    return sorted(f for f in files if _suffix(f) in AUDIO_SUFFIXES)


def without_suffix(path: str) -> str:
    """The path up to its last suffix: `a/b.c.wav` -> `a/b.c`."""
    return posixpath.splitext(path)[0]


def beside(files: Collection[str], suffix: str) -> dict[str, str]:
    """The file with that suffix and the audio file's own name beside it: {audio path: its path}, where there is one."""
    present = visible(files)
    others = with_suffix(present, suffix)
    found = {path: others.get(without_suffix(path)) for path in audio_files(present)}
    return {path: other for path, other in found.items() if other}


def with_suffix(files: Collection[str], suffix: str) -> dict[str, str]:
    """Files with that suffix by their path without it; one in upper case (`.LAB`) where none has it in lower case."""
    size = len(suffix)
    lower = {f[:-size]: f for f in files if f.endswith(suffix)}
    others = sorted(f for f in files if f[-size:] != suffix and f[-size:].lower() == suffix)
    return {f[:-size]: f for f in others} | lower


def whole(text: str) -> tuple[Span, ...]:
    """The text of a whole recording as its only span; none where it is empty."""
    return (Span(None, None, text),) if text else ()


def recordings_of(
    audio: Collection[str],
    given: Mapping[str, Given],
    settings: LayoutSettings,
    speaker_of: Callable[[str], str] = lambda path: "",
    language_of: Callable[[str], str] = lambda path: "",
) -> Iterator[Recording | Problem]:
    """One recording for each audio file, after what is wrong with their names and speakers.

    The speaker is the one given, else the corpus', else the one that speaker_of(path) reads from the path. The language
    is the one given, else the one that language_of(path) reads from the path, else the corpus'.
    """
    ids, problems = name_recordings(audio)
    yield from problems
    recordings = []
    for path in sorted(audio):
        known = given.get(path, Given())
        speaker = known.speaker or settings.speaker or speaker_of(path)
        language = known.language or language_of(path) or settings.language
        recordings.append(Recording(ids[path], path, speaker, language, known.texts, known.extras))
    yield from _without_speaker(recordings)
    yield from recordings


def name_recordings(paths: Iterable[str]) -> tuple[dict[str, str], list[Problem]]:
    """Ids of recordings by path, and a Problem for each path that could not have the id its name asks for.

    An id is the path without suffix in NFC, `/` as `--`; characters that break tables, file names or the member names
    of a WebDataset are percent-encoded. Of two paths with one id the first in sorted order has it, the other appends
    its suffix.
    """
    ids: dict[str, str] = {}
    owners: dict[str, str] = {}
    clashes = []
    for path in sorted(paths):
        wanted = _identifier(without_suffix(path))
        if wanted in owners:
            clashes.append((path, wanted))
        else:
            ids[path], owners[wanted] = wanted, path
    problems = []
    for path, wanted in clashes:
        given = f"{wanted}--{_escaped(_suffix(path)[1:])}"
        if given in owners:
            given = f"{given}--{_fingerprint(path)}"
        ids[path], owners[given] = given, path
        what = f"would have the id {wanted}, which is that of {owners[wanted]}; it is called {given}"
        problems.append(Problem(path, what, "Rename or remove one of the two; both are kept as they are."))
    return ids, problems


def decode_text(data: bytes) -> tuple[str, str]:
    """Text of a file and the encoding it was read in: by its byte order mark, else strict UTF-8, else Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), "utf-16"
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "cp1252"


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def encoding_problems(where: str, encoding: str) -> Iterator[Problem]:
    """Whether a file had to be read in an encoding that was guessed."""
    if encoding != "utf-8":
        yield Problem(where, f"is not UTF-8; read as {encoding}", "Check its letters and save it as UTF-8.")


def text_problems(where: str, text: str) -> Iterator[Problem]:
    """What is suspicious about the given text of one clip."""
    if not text:
        yield Problem(
            where, "holds no text", "Write the transcript, or remove the file; the clip is kept without text."
        )
    if len(text) > LONGEST_TEXT:
        what = f"holds {len(text):,} characters, more than {LONGEST_TEXT:,} for one clip"
        yield Problem(where, what, "Check that this is the transcript of this clip alone; it is kept as it is.")


def _without_speaker(recordings: Collection[Recording]) -> Iterator[Problem]:
    """One Problem for all recordings whose speaker nothing tells."""
    nameless = [r for r in recordings if not r.speaker]
    if nameless:
        what = f"{len(nameless)} of {len(recordings)} recordings have no speaker"
        yield Problem(nameless[0].path, what, "Set `speaker:` of the corpus, or put each speaker into a folder.")


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _identifier(stem: str) -> str:
    """A token from a relative path without suffix, at most LONGEST_ID bytes."""
    token = "--".join(_escaped(unicodedata.normalize("NFC", part)) for part in stem.split("/"))
    if len(token.encode()) <= LONGEST_ID:
        return token
    ending = f"--{_fingerprint(stem)}"
    return token.encode()[: LONGEST_ID - len(ending)].decode(errors="ignore") + ending


def _escaped(part: str) -> str:
    return "".join(_percent(c) if _breaks(c) else c for c in part)


def _breaks(character: str) -> bool:
    # A dot ends the key of a WebDataset member; line separators split a table; surrogates stand for undecodable bytes.
    return character in "/\\%." or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def _fingerprint(path: str) -> str:
    return hashlib.blake2b(path.encode(errors="surrogatepass"), digest_size=4).hexdigest()
