"""What people decided of clips that they listened to, and what becomes of a selection by it.

A decision names its recording by the digest of the bytes, and its clip by the times: a re-cut or an edited recording
cannot misapply it. One that fits no clip is told as lapsed, with the reason. Of several for a clip the latest counts.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaiku.text.language import as_tagged
from kaiku.text.normalise import normalise

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("pandas",)

KEEP, REJECT, TEXT, NONE = VERDICTS = ("keep", "reject", "text", "none")
"""Taken whatever the bounds say; left out; taken or left by the bounds, but with this text; withdrawn."""

TOLERANCE_MS = 20
"""How far each end of a clip may have moved since it was listened to: less than the shortest stop of a consonant."""


@dataclass(frozen=True, order=True)
class Decision:
    """One decision.

    digest: of the recording's bytes; recording: its id; text: what is said in the clip, empty where the text it has
    is right; time: UTC, ISO 8601 to the millisecond, so that order of text is order of time.
    """

    digest: str
    recording: str
    start_ms: int
    end_ms: int
    verdict: str
    text: str = ""
    note: str = ""
    reviewer: str = ""
    time: str = ""

    @property
    def corrects(self) -> bool:
        """Whether it gives the clip another text."""
        return bool(self.text) and self.verdict in (KEEP, TEXT)


@dataclass(frozen=True)
class Lapsed:
    """A decision that no longer applies, and why."""

    decision: Decision
    why: str


@dataclass(frozen=True)
class Reviewed:
    """The decision that counts for each clip that has one, and decisions that fit no clip any more."""

    by_clip: Mapping[str, Decision] = field(default_factory=dict)
    lapsed: tuple[Lapsed, ...] = ()

    def clips(self, *verdicts: str) -> set[str]:
        """Clips with one of these verdicts."""
        return {clip for clip, decision in self.by_clip.items() if decision.verdict in verdicts}


def latest(decisions: Iterable[Decision]) -> list[Decision]:
    """Of the decisions for the very same times, the last one each, withdrawn ones too; the newest comes last."""
    newest: dict[tuple[str, str, int, int], Decision] = {}
    for decision in sorted(decisions, key=_age):
        newest[decision.digest, decision.recording, decision.start_ms, decision.end_ms] = decision
    return sorted(newest.values(), key=_age)


def match(
    clips: Iterable[tuple[str, str, float, float]], contents: Mapping[str, str], decisions: Collection[Decision]
) -> Reviewed:
    """Decisions laid on the clips of a shard.

    clips: (clip, recording, start_s, end_s); contents: digest of each of the shard's recordings.
    """
    by_recording: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    if decisions:
        for clip, recording, start_s, end_s in clips:
            by_recording[recording].append((clip, start_s, end_s))
    found: dict[str, Decision] = {}
    lapsed = []
    for decision in latest(decisions):
        why, near = "", []
        if decision.recording not in contents:
            why = "its recording is no longer in the corpus"
        elif contents[decision.recording] != decision.digest:
            why = "its recording was edited"
        else:
            near = [(distance_ms(decision, *times), clip) for clip, *times in by_recording[decision.recording]]
            near = [(distance, clip) for distance, clip in near if distance <= TOLERANCE_MS]
            why = "" if near else "its recording was cut otherwise"
        if near:
            found[min(near)[1]] = decision
        elif decision.verdict != NONE:
            lapsed.append(Lapsed(decision, why))
    counting = {clip: decision for clip, decision in found.items() if decision.verdict != NONE}
    return Reviewed(counting, tuple(lapsed))


def select(
    decide: Callable[..., "pd.DataFrame"],
    transcripts: "pd.DataFrame",
    reviewed: Reviewed,
    languages: Mapping[str, str],
) -> "pd.DataFrame":
    """A shard's selection with the decisions of those who listened, and a column `review` with each clip's verdict.

    decide(transcripts, keep=, reject=): as `kaiku.selection.decide`; languages: of each clip, by its corpus. A
    corrected text stands in place of the clip's own, in the form that the dataset takes. No bound drops a clip to keep:
    what failed, has no text, was withdrawn, lies between two splits or outside of the subset stays left out. A clip
    that is rejected gives its place in the subset to others.
    """
    texts = corrected(transcripts, reviewed, languages)
    frame = decide(texts, keep=reviewed.clips(KEEP), reject=reviewed.clips(REJECT))
    verdicts = {clip: decision.verdict for clip, decision in reviewed.by_clip.items()}
    frame["review"] = frame["clip"].map(verdicts).fillna("").astype(object)
    return frame


def corrected(transcripts: "pd.DataFrame", reviewed: Reviewed, languages: Mapping[str, str]) -> "pd.DataFrame":
    """Transcripts with the texts of those who listened in place of the clips' own, raw and normalised as those were."""
    texts = {clip: decision.text for clip, decision in reviewed.by_clip.items() if decision.corrects}
    rows = transcripts["clip"].isin(texts)
    if not rows.any():
        return transcripts
    found = transcripts.copy()
    raw = found.loc[rows, "clip"].map(texts)
    found.loc[rows, "text_raw"] = raw
    tags = found.loc[rows, "clip"].map(languages).fillna("und")
    heard = found.loc[rows, "language"].fillna(tags)
    found.loc[rows, "text"] = [normalise(text, as_tagged(*both)) for text, *both in zip(raw, heard, tags)]
    return found


def distance_ms(decision: Decision, start_s: float, end_s: float) -> int:
    """How far a clip lies from the one that was decided about: the further one of both ends."""
    return max(abs(decision.start_ms - round(start_s * 1000)), abs(decision.end_ms - round(end_s * 1000)))


def _age(decision: Decision) -> tuple[str, Decision]:
    return decision.time, decision
