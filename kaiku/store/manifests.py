"""Manifests: what a corpus holds, shard by shard, as text that git can merge; rewritten only where it changed.

Audio, text and given tokens stand apart, so that an edited transcript touches no audio stage. Fields are tab-separated
under a header line; tab, newline, carriage return and backslash inside a field are escaped with a backslash.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from kaiku.adoption import Form
from kaiku.errors import CorruptFile
from kaiku.store import atomic

T = TypeVar("T")

FORMAT = 1

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED = re.compile(r"\\(.?)")
_RESCAN = "Delete the file; the next run scans the corpus again."

AUDIO_COLUMNS = ("recording", "path", "digest", "bytes", "speaker", "language", "extras")
TEXT_COLUMNS = ("recording", "start_s", "end_s", "text")
TOKENS_COLUMNS = ("recording", "path", "digest", "made_of", "edited", "form")


@dataclass(frozen=True)
class AudioRow:
    """One recording: its id, its file relative to the corpus' folder, the digest of its bytes, and who speaks what."""

    recording: str
    path: str
    digest: str
    bytes: int
    speaker: str
    language: str
    extras: dict[str, str]


@dataclass(frozen=True)
class TextRow:
    """A given text of a recording; times in seconds, or None where the text is that of the whole recording."""

    recording: str
    start_s: float | None
    end_s: float | None
    text: str


@dataclass(frozen=True)
class TokensRow:
    """Tokens that stand beside a recording: their file and its digest, and what it holds.

    made_of: digest of the recording beside which these very tokens were first seen; edited: it is another one now.
    """

    recording: str
    path: str
    digest: str
    made_of: str
    edited: bool
    form: Form


def audio_path(folder: Path, shard: str) -> Path:
    """Where a shard's audio manifest stands."""
    return folder / f"{shard}.audio.tsv"


def text_path(folder: Path, shard: str) -> Path:
    """Where a shard's text manifest stands."""
    return folder / f"{shard}.text.tsv"


def tokens_path(folder: Path, shard: str) -> Path:
    """Where a shard's manifest of given tokens stands, in a corpus that has any."""
    return folder / f"{shard}.tokens.tsv"


def keep(manifest: Path, carry: Path) -> None:
    """Leave a manifest beside what was just made of it, so that one can tell later what changed since."""
    atomic.link(manifest, made_of(manifest, carry))


def made_of(manifest: Path, carry: Path) -> Path:
    """Where `keep` leaves a manifest as it was."""
    return carry / f"made_of{''.join(manifest.suffixes)}"


def write_audio(path: Path, rows: Iterable[AudioRow]) -> bool:
    """Write an audio manifest if it differs; True if written."""
    lines = (
        (r.recording, r.path, r.digest, str(r.bytes), r.speaker, r.language, json.dumps(r.extras, sort_keys=True))
        for r in rows
    )
    return write_table(path, AUDIO_COLUMNS, lines)


def write_text(path: Path, rows: Iterable[TextRow]) -> bool:
    """Write a text manifest if it differs; True if written."""
    lines = ((r.recording, _number(r.start_s), _number(r.end_s), r.text) for r in rows)
    return write_table(path, TEXT_COLUMNS, lines)


def write_tokens(path: Path, rows: Iterable[TokensRow]) -> bool:
    """Write a manifest of given tokens if it differs; True if written."""
    lines = (
        (r.recording, r.path, r.digest, r.made_of, "edited" if r.edited else "", json.dumps(asdict(r.form)))
        for r in rows
    )
    return write_table(path, TOKENS_COLUMNS, lines)


def read_audio(path: Path) -> list[AudioRow]:
    """Read an audio manifest."""
    return read_table(path, AUDIO_COLUMNS, _audio_row)


def read_text(path: Path) -> list[TextRow]:
    """Read a text manifest."""
    return read_table(path, TEXT_COLUMNS, _text_row)


def read_digests(path: Path) -> dict[str, str]:
    """Digest of each recording of an audio manifest, in a fraction of the time that all of it takes."""
    fields = [line.split("\t", 3) for line in path.read_text(encoding="utf-8").split("\n")[1:] if line]
    return {_unescape(recording): digest for recording, _, digest, _ in fields}


def speaking(path: Path, speakers: Collection[str]) -> list[str]:
    """Those of some speakers that an audio manifest holds recordings of, sorted; read in full only where one may be."""
    content = path.read_bytes() if speakers and path.exists() else b""
    named = [speaker for speaker in speakers if f"\t{_escape(speaker)}\t".encode() in content]
    return sorted({row.speaker for row in read_audio(path)} & set(named)) if named else []


def read_tokens(path: Path) -> list[TokensRow]:
    """Read a manifest of given tokens."""
    return read_table(path, TOKENS_COLUMNS, _tokens_row)


def _audio_row(recording: str, path: str, digest: str, size: str, speaker: str, language: str, extras: str) -> AudioRow:
    return AudioRow(recording, path, digest, int(size), speaker, language, json.loads(extras))


def _text_row(recording: str, start: str, end: str, text: str) -> TextRow:
    return TextRow(recording, float(start) if start else None, float(end) if end else None, text)


def _tokens_row(recording: str, path: str, digest: str, made_of: str, edited: str, form: str) -> TokensRow:
    values = json.loads(form)
    told = Form(**{**values, "shape": tuple(values["shape"]), "highest": tuple(values["highest"])})
    return TokensRow(recording, path, digest, made_of, bool(edited), told)


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> bool:
    """Write lines of fields under a header, escaped, if the file differs; True if written."""
    texts = ["\t".join(columns)]
    texts += ["\t".join(_escape(field) for field in line) for line in lines]
    return atomic.write_text_if_changed(path, "\n".join(texts) + "\n")


def read_table(path: Path, columns: Sequence[str], row: Callable[..., T], *, remedy: str = _RESCAN) -> list[T]:
    """The lines of a file that `write_table` wrote, each as row(*fields). remedy: what to do about one that is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path}: not UTF-8 ({error})", remedy=remedy) from error
    if lines[0].split("\t") != list(columns):
        raise CorruptFile(f"{path}: header {lines[0]!r}", expected="\\t".join(columns), remedy=remedy)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        fields = line.split("\t")
        if len(fields) != len(columns):
            raise CorruptFile(f"{path}, line {number}: {len(fields)} fields", expected=f"{len(columns)}", remedy=remedy)
        try:
            rows.append(row(*map(_unescape, fields)))
        except (KeyError, TypeError, ValueError) as error:
            found = f"{path}, line {number}: {line!r} ({error})"
            raise CorruptFile(found, expected=", ".join(columns), remedy=remedy) from error
    return rows


def _escape(field: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], field)


def _unescape(field: str) -> str:
    return _ESCAPED.sub(lambda found: _UNESCAPES[found[1]], field)


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))
