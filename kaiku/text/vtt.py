"""WebVTT captions: text with start and end times (https://www.w3.org/TR/webvtt1/)."""

import html
import re
from collections.abc import Iterator

from kaiku.errors import KaikuError

Cue = tuple[float, float, str]
"""start_s, end_s, text"""

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"\s*{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?")
_TAG = re.compile(r"</?[^<>]*>")
_NOT_A_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
_EXAMPLE = "00:01.000 --> 00:02.500 (hours optional, a point before three digits of milliseconds)"


def parse(text: str) -> list[Cue]:
    """The cues of a WebVTT file in file order, without tags, each on one line; those without text are left out.

    Raises KaikuError with the number of the line that breaks the format.
    """
    lines = re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff"))
    if not re.match(r"WEBVTT([ \t]|$)", lines[0]):
        raise KaikuError(f"line 1: {lines[0][:40]!r}", expected="WEBVTT on the first line of a caption file")
    cues = (_cue(first, block) for first, block in list(_blocks(lines))[1:] if _is_cue(block))
    return [cue for cue in cues if cue[2]]


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines, each with the number of its first line, counted from 1; the header is the first.

    An empty line ends a run, and so does a line of times where it cannot stand: in the header, after other times, after
    more than an identifier.
    """
    block: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        first = number - len(block)
        begins = "-->" in line and (first == 1 or len(block) > 1 or "-->" in "".join(block))
        if block and (begins or not line):
            yield first, block
            block = []
        if line:
            block.append(line)


def _is_cue(block: list[str]) -> bool:
    return not _NOT_A_CUE.match(block[0]) or "-->" in "".join(block[1:2])


def _cue(first: int, block: list[str]) -> Cue:
    """A cue from its block: an optional identifier, the line of times, the text."""
    has_identifier = "-->" not in block[0] and "-->" in "".join(block[1:2])
    at = 1 if has_identifier else 0
    times = _TIMING.fullmatch(block[at])
    if times is None:
        raise KaikuError(f"line {first + at}: {block[at][:60]!r}", expected=f"cue times such as {_EXAMPLE}")
    start_s, end_s = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
    if end_s <= start_s:
        raise KaikuError(
            f"line {first + at}: the cue ends at {end_s} s", expected=f"an end after its start, {start_s} s"
        )
    return start_s, end_s, _plain(block[at + 1 :])


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return (whole * 1000 + int(thousandths)) / 1000


def _plain(payload: list[str]) -> str:
    # Character references are read after the tags are gone: `&lt;b&gt;` is text, not a tag.
    return " ".join(html.unescape(_TAG.sub("", " ".join(payload))).split())
