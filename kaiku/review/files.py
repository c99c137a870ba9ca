"""Decisions as files: data/review/{corpus}/{shard}.tsv, one line each, sorted, in git; earlier ones stay as history.

A decision stands in the file of the shard where its recording is, so that it plans that shard and no other. `settle`
sees to that at every start: a recording that was renamed takes its decisions along, even to another shard.
"""

import fcntl
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.progress import log
from kaiku.review.decisions import NONE, TEXT, VERDICTS, Decision, Reviewed, latest, match
from kaiku.store import digest, manifests, scan
from kaiku.store.shards import shard_name

REVIEW = Path("data/review")
MANIFESTS = Path("data/manifests")
LOCKS = Path("work/review")
COLUMNS = ("digest", "recording", "start_ms", "end_ms", "verdict", "text", "note", "reviewer", "time")
_MEND = "Mend the line, or take the file from git; `make review` writes it, and no run ever makes it again."


@dataclass(frozen=True)
class Settled:
    """What `settle` did: decisions that went along with their renamed recordings, and those whose content is gone."""

    moved: int
    homeless: int


def path_of(corpus: str, shard: str) -> Path:
    """Where a shard's decisions stand, or would."""
    return REVIEW / corpus / f"{shard}.tsv"


def now() -> str:
    """The present time as decisions hold it."""
    return _told(datetime.now(UTC))


def _after(time: str) -> str:
    return _told(datetime.fromisoformat(time) + timedelta(milliseconds=1))


def _told(time: datetime) -> str:
    """A time as decisions hold it; without a zone it is UTC."""
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(path: Path) -> list[Decision]:
    """All decisions in a file, the history too; none where there is no file. Raises CorruptFile with the line."""
    if not path.exists():
        return []
    return manifests.read_table(path, COLUMNS, decision_of, remedy=_MEND)


def write(path: Path, decisions: Iterable[Decision]) -> bool:
    """Write decisions sorted, each once; True if the file changed. The caller holds the corpus' lock."""
    lines = sorted(set(decisions))
    return manifests.write_table(path, COLUMNS, ([str(value) for value in astuple(d)] for d in lines))


def add(corpus: str, shard: str, decisions: Iterable[Decision]) -> int:
    """Add decisions to a shard's file, whoever else adds to it meanwhile; returns how many it did not have."""
    path = path_of(corpus, shard)
    with locked(corpus):
        before = set(read(path))
        together = before | set(decisions)
        write(path, together)
    return len(together) - len(before)


def decide(corpus: str, shard: str, decision: Decision, *, keeps_text: bool = False) -> Decision:
    """Add a decision made now, which counts from now on even where an earlier one's clock was ahead; returns it.

    keeps_text: its text is that of the decision that counted for the clip until now, whoever made that.
    """
    path = path_of(corpus, shard)
    with locked(corpus):
        before = read(path)
        if keeps_text and decision.verdict != NONE:
            decision = replace(decision, text=_counting_text(decision, before))
        decision = checked(replace(decision, time=""))
        newest = max((d.time for d in before if d.recording == decision.recording), default="")
        if newest >= decision.time:
            decision = replace(decision, time=_after(newest))
        write(path, [*before, decision])
    return decision


def _counting_text(decision: Decision, before: Collection[Decision]) -> str:
    clip = ("", decision.recording, decision.start_ms / 1000, decision.end_ms / 1000)
    counting = match([clip], {decision.recording: decision.digest}, before).by_clip.values()
    return next((found.text for found in counting), "")


def review_of(paths: Iterable[Path], manifest: Iterable[Path], clips: Iterable[tuple]) -> Reviewed:
    """A shard's decisions laid on its clips (see `match`); what no longer applies is logged.

    paths, manifest: the shard's decisions and recordings, none of either where nobody reviewed it.
    """
    contents = {name: own for path in manifest for name, own in manifests.read_digests(path).items()}
    found = match(clips, contents, [decision for path in paths for decision in read(path)])
    if found.lapsed:
        log(f"{len(found.lapsed)} of the review's decisions no longer apply (`make review` lists them):")
    for lapsed in found.lapsed:
        own = lapsed.decision
        log(f"  {own.recording} {own.start_ms / 1000:.3f}-{own.end_ms / 1000:.3f} s, {own.verdict}: {lapsed.why}")
    return found


def until_steady(paths: Iterable[Path]) -> Iterator[None]:
    """Once, and again as long as a file was written meanwhile: people go on deciding while a run works."""
    paths = list(paths)
    while True:
        before = [digest.of_file(path) for path in paths]
        yield
        if [digest.of_file(path) for path in paths] == before:
            return


def settle(corpus: str) -> Settled:
    """Put each of a corpus' decisions into the file of the shard where its recording is now.

    A recording of another name with the same bytes is the same one: where the old name is gone, the decision goes to
    each recording of that content that has none of its own. One whose content is nowhere stays where it is.
    """
    if not any((REVIEW / corpus).glob("[0-9]*.tsv")):
        return Settled(0, 0)
    with locked(corpus):
        return _settle(corpus)


def _settle(corpus: str) -> Settled:
    before = {path.stem: read(path) for path in sorted((REVIEW / corpus).glob("[0-9]*.tsv"))}
    homes = _Homes(corpus, before)
    after: dict[str, list[Decision]] = defaultdict(list)
    moved, homeless = 0, []
    for shard, decisions in before.items():
        for decision in decisions:
            if homes.is_home(shard, decision):
                after[shard].append(decision)
            elif found := homes.elsewhere(decision):
                moved += 1
                for recording, place in found:
                    after[place].append(replace(decision, recording=recording))
            else:
                homeless.append(decision)
                after[shard].append(decision)
    if moved:  # all that is gained is written before anything is taken away: a kill between leaves lines twice
        for shard, decisions in after.items():
            write(path_of(corpus, shard), [*before.get(shard, ()), *decisions])
        for shard in before.keys() | after.keys():
            write(path_of(corpus, shard), after.get(shard, ()))
    return Settled(moved, sum(decision.verdict != NONE for decision in latest(homeless)))


class _Homes:
    """Where recordings are by name and content; all manifests are read only once one was looked for in vain."""

    def __init__(self, corpus: str, decisions: dict[str, list[Decision]]):
        self.corpus = corpus
        self._of_shard: dict[str, dict[str, str]] = {}
        self._standing = {(shard, d) for shard, own in decisions.items() for d in own}
        self._decided = {(shard, d.recording, d.digest) for shard, d in self._standing}
        self._by_digest: dict[str, list[tuple[str, str]]] | None = None

    def is_home(self, shard: str, decision: Decision) -> bool:
        return self._recordings(shard).get(decision.recording) == decision.digest

    def elsewhere(self, decision: Decision) -> list[tuple[str, str]]:
        """(recording, shard) of the same content: of the same name first, else those without decisions of their own, or
        with this very one, which a settling that was killed left there."""
        holders = self._all().get(decision.digest, [])
        named = [(name, shard) for name, shard in holders if name == decision.recording]
        return named or [(name, shard) for name, shard in holders if self._is_free(name, shard, decision)]

    def _is_free(self, recording: str, shard: str, decision: Decision) -> bool:
        moved = replace(decision, recording=recording)
        return (shard, moved) in self._standing or (shard, recording, decision.digest) not in self._decided

    def _recordings(self, shard: str) -> dict[str, str]:
        if shard not in self._of_shard:
            path = manifests.audio_path(MANIFESTS / self.corpus, shard)
            self._of_shard[shard] = manifests.read_digests(path) if path.exists() else {}
        return self._of_shard[shard]

    def _all(self) -> dict[str, list[tuple[str, str]]]:
        if self._by_digest is None:
            self._by_digest = defaultdict(list)
            for number in range(scan.pinned_shards(MANIFESTS / self.corpus) or 0):
                shard = shard_name(number)
                for name, own in self._recordings(shard).items():
                    self._by_digest[own].append((name, shard))
        return self._by_digest


@contextmanager
def locked(corpus: str) -> Iterator[None]:
    """Alone with a corpus' decisions, by a lock that the kernel releases when its process dies."""
    path = LOCKS / f"{corpus}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def decision_of(own: str, recording: str, start: str, end: str, verdict: str, *rest: str) -> Decision:
    """A decision from the fields of a line; ValueError where they are none. Its time, in any form of ISO 8601, becomes
    that of all others, whose order as text is that of time."""
    if verdict not in VERDICTS:
        raise ValueError(f"verdict {verdict!r}")
    made = Decision(own, recording, int(start), int(end), verdict, *rest)
    if verdict == TEXT and not made.text.strip():
        raise ValueError("a correction without a text")
    return replace(made, time=_told(datetime.fromisoformat(made.time)) if made.time else "")


def checked(decision: Decision) -> Decision:
    """A decision that came from outside, tidied; raises KaikuError where it means nothing."""
    tidy = {name: " ".join(getattr(decision, name).split()) for name in ("text", "note", "reviewer")}
    decision = replace(decision, **tidy, time=decision.time or now())
    if decision.verdict not in VERDICTS:
        raise KaikuError(f"verdict {decision.verdict!r}", expected=", ".join(VERDICTS))
    if decision.verdict == TEXT and not decision.text:
        raise KaikuError("a correction without a text", expected="what is said in the clip")
    return decision
