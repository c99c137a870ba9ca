"""Which words belong to which clip: given texts with times, clips cut at pauses that know nothing of them."""

from collections.abc import Iterable
from dataclasses import dataclass

LIBRARIES: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """A given text and when it is spoken, in seconds of its recording; None, None: the whole recording."""

    start_s: float | None
    end_s: float | None
    text: str


def text_for(clip_start_s: float, clip_end_s: float, spans: Iterable[Span]) -> tuple[str, float]:
    """The text spoken in a clip and how well the two match: (text, coverage in 0..1).

    A span belongs to the clip that holds more than half of it, so to at most one; texts are joined in order of time.
    coverage = span time both in the clip and in its text / span time in either. It falls when a span of the text
    is cut off, and when the clip holds speech whose span went elsewhere; no span at all: 0.
    Every span needs both times; `timed` gives them.
    """
    agreed_s, either_s, texts = 0.0, 0.0, []
    for span in sorted(spans, key=lambda span: (span.start_s, span.end_s)):
        inside_s = min(clip_end_s, span.end_s) - max(clip_start_s, span.start_s)
        if inside_s <= 0:
            continue
        length_s = span.end_s - span.start_s
        if inside_s > length_s / 2:
            texts.append(span.text)
            agreed_s += inside_s
            either_s += length_s
        else:
            either_s += inside_s
    return " ".join(texts), agreed_s / either_s if either_s else 0.0


def timed(spans: Iterable[Span], recording_s: float) -> list[Span]:
    """The spans with both times: an open start is 0, an open end is the recording's."""
    return [
        Span(0.0 if s.start_s is None else s.start_s, recording_s if s.end_s is None else s.end_s, s.text)
        for s in spans
    ]
