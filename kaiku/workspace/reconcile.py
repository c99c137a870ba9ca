"""What stands in a workspace, against what is attested: a pulled cache is fresh, an edited artefact is not hidden.

Snakemake knows what it made in this folder, by records that no clone has and by times that git, DVC and an editor set
as they like. So at every start each artefact's content is compared with the attestations of this machine (`work/`) and
of all (`kaiku.lock`, in git). Where file and inputs match one, its record is restored and its time put in order; where
only the inputs differ it is stale; where no attestation knows the content, it is told as modified.

An input that is not on this machine counts as its attestation says, as long as what it was made from still holds, down
to the manifests: a machine with nothing but tokens need not make segments.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kaiku.store import statcache
from kaiku.workspace import attestation, provenance
from kaiku.workspace.attestation import Attestation

LOCAL = Path("work/attested")
DIGESTS = Path("work/stat/artefacts")
RECORDS = Path("work/stat/records")
CHANGED = "changed"  # in the place of a digest: of what stood there before, nothing is known


def attest(settled: Collection[str] = (), workspace: Path = Path()) -> list[str]:
    """Bring `kaiku.lock` up to date with what stands here and holds; returns artefacts that do not, and are left out.

    Lines about artefacts that are not on this machine stay as they are.
    """
    ledger = Ledger(workspace)
    ledger.observe()
    fresh, refused = ledger.fresh(settled)
    elsewhere = [e for path, entries in ledger.shared.items() if ledger.digests.of(path) is None for e in entries]
    attestation.write(workspace / attestation.LOCK, [replace(entry, made=0.0) for entry in fresh] + elsewhere)
    return refused


@dataclass
class Verdicts:
    """What `reconcile` found: artefacts whose provenance it restored, those it planned, those nobody attests."""

    restored: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)


class Ledger:
    """The attestations and digests of one workspace."""

    def __init__(self, workspace: Path = Path()):
        self.workspace = workspace
        self.digests = statcache.Digests(workspace, workspace / DIGESTS)
        self.local = {path: entries[-1] for path, entries in attestation.read(workspace / LOCAL).items()}
        self.shared = attestation.read(workspace / attestation.LOCK)
        self.doubtful: set[str] = set()

    def observe(self) -> None:
        """Attest what Snakemake made here since the last look; it must come before anything changes an input."""
        self.digests.look_again()
        stamps = statcache.load(self.workspace / RECORDS)
        first_look, known = stamps is None, stamps or {}
        found = {record.output: (record.stamp(), record) for record in provenance.records(self.workspace)}
        news = {output: record for output, (stamp, record) in found.items() if known.get(output) != stamp}
        contents = {output: record.content() for output, record in news.items()}
        made = [output for output, content in contents.items() if self._is_new(output, content)]
        self.digests.look({path for output in made for path in [output, *_inputs(contents[output])]})
        if not first_look:
            self.doubtful |= {output for output in made if self._was_replaced(output, contents[output])}
        self._attest({output: contents[output] for output in made})
        if news or len(found) != len(known):
            # A record whose output is missing or not its own is of a failed job, and must be looked at again.
            missing = {output for output in found if not (self.workspace / output).exists()}
            left = found.keys() - missing - self.doubtful
            statcache.save(self.workspace / RECORDS, {output: found[output][0] for output in left})
        self.save()

    def reconcile(self, settled: Collection[str] = ()) -> Verdicts:
        """Compare every artefact with its attestations, and set records, marks and times by what is found.

        settled: outputs whose inputs do not matter any more (a codec that is fitted as configured).
        """
        self.digests.look_again()  # the scan has written manifests since what stands here was attested
        judge = _Judge(self, frozenset(settled))
        verdicts = Verdicts()
        paths = sorted(self.local.keys() | self.shared.keys())
        self.digests.look(paths)
        for path in paths:
            if self.digests.of(path) is not None:
                self._settle(path, judge, verdicts)
        self._plan_doubtful(verdicts)
        self.save()
        return verdicts

    def fresh(self, settled: Collection[str] = ()) -> tuple[list[Attestation], list[str]]:
        """Attestations of the artefacts that stand here and hold, and the paths of those that do not."""
        judge = _Judge(self, frozenset(settled))
        present = [path for path in sorted(self.local.keys() | self.shared.keys()) if self.digests.of(path) is not None]
        holding = {path: judge.holding(path) for path in present}
        return [entry for entry in holding.values() if entry], [path for path, entry in holding.items() if not entry]

    def relinked(self, paths: Iterable[str]) -> None:
        """Take note that this process itself hard-linked some artefacts, which shows in their inodes' times."""
        self.digests.relinked(paths)
        self.digests.save()

    def candidates(self, path: str) -> list[Attestation]:
        """All attestations of an artefact, this machine's own first."""
        own = self.local.get(path)
        return [*([own] if own else []), *self.shared.get(path, ())]

    def save(self) -> None:
        """Write what was learnt."""
        attestation.write(self.workspace / LOCAL, self.local.values())
        self.digests.save()

    def _is_new(self, output: str, content: dict) -> bool:
        known = self.local.get(output)
        written_here = content.get("starttime")  # 0 in records that were restored, which say nothing new
        return bool(written_here) and (known is None or known.made != written_here)

    def _was_replaced(self, output: str, content: dict) -> bool:
        """True where a record is of a job whose output is gone, and something else stands in its place."""
        if self.digests.of(output) is None:
            return False
        return abs(provenance.time_of(self.workspace / output) / 1e9 - content.get("endtime", 0)) > 1e-3

    def _attest(self, made: Mapping[str, dict]) -> None:
        """made: outputs of jobs since the last look, with their records."""
        for output in made.keys() & self.doubtful:
            self.local.pop(output, None)
        as_made = {output for output in made if self.digests.of(output) is not None} - self.doubtful
        for output in sorted(as_made):
            record = made[output]
            inputs = tuple(
                (path, self._input_digest(path, output, record, as_made)) for path in sorted(_inputs(record))
            )
            params = tuple(sorted(record.get("params") or ()))
            rule, begun = record.get("rule") or "", record["starttime"]
            self.local[output] = Attestation(output, self.digests.of(output), rule, params, inputs, begun)

    def _input_digest(self, path: str, output: str, record: dict, as_made: Collection[str]) -> str:
        """Digest of what an output was made from; CHANGED where something else may stand there since."""
        found = self.digests.of(path)
        if found is None or path in self.doubtful:
            return CHANGED
        place, known = self.workspace / path, self.local.get(path)
        since = provenance.time_of(place)
        if known and known.digest != found and path not in as_made:
            since = max(since, provenance.touched_at(place))  # not what was made here: when it came, its own time hides
        is_older = since <= provenance.time_of(self.workspace / output)
        return found if is_older or provenance.is_as_recorded(path, record, self.workspace) else CHANGED

    def _settle(self, path: str, judge: "_Judge", verdicts: Verdicts) -> None:
        entry = judge.holding(path)
        if entry is not None:
            late = provenance.time_of(self.workspace / path) < judge.time(path)
            if self.local.get(path) != entry or not provenance.has_record(path, self.workspace):
                provenance.restore(path, entry.rule, entry.params, dict(entry.inputs), self.workspace)
                verdicts.restored.append(path)
                late = True
                self.local[path] = Attestation(path, entry.digest, entry.rule, entry.params, entry.inputs)
            self.doubtful.discard(path)
            provenance.unmark_incomplete(path, self.workspace)
            if late:
                provenance.raise_time(path, judge.time(path), self.workspace)
                self.digests.resign([path])
        elif own := judge.matching(path):
            if not self._is_seen_by_snakemake(path, own[0], judge):
                provenance.mark_incomplete(path, self.workspace)
            verdicts.stale.append(path)
        elif not provenance.is_incomplete(path, self.workspace):
            verdicts.modified.append(path)

    def _is_seen_by_snakemake(self, path: str, entry: Attestation, judge: "_Judge") -> bool:
        """True where Snakemake's own record and times tell of every changed input: its reasons are the better ones."""
        if self.local.get(path) != entry or not entry.made:
            return False
        own_ns = provenance.time_of(self.workspace / path)
        changed = [input for input, found in entry.inputs if found not in judge.digests(input)]
        return all(self.digests.of(p) and provenance.time_of(self.workspace / p) > own_ns for p in changed)

    def _plan_doubtful(self, verdicts: Verdicts) -> None:
        for path in sorted(self.doubtful):
            provenance.mark_incomplete(path, self.workspace)
            verdicts.stale.append(path)
        self.doubtful.clear()


class _Judge:
    """Which attestations hold, each artefact judged once."""

    def __init__(self, ledger: Ledger, settled: frozenset[str]):
        self.ledger, self.settled = ledger, settled
        self._digests: dict[str, frozenset[str]] = {}
        self._times: dict[str, int] = {}

    def matching(self, path: str) -> list[Attestation]:
        """Attestations of the content that stands there."""
        own = self.ledger.digests.of(path)
        return [entry for entry in self.ledger.candidates(path) if entry.digest == own]

    def holding(self, path: str) -> Attestation | None:
        """The attestation of the content that stands there, made from what stands there now."""
        return next((entry for entry in self.matching(path) if self.holds(entry)), None)

    def holds(self, entry: Attestation) -> bool:
        """True where the inputs are those that the artefact was made from."""
        return entry.path in self.settled or all(found in self.digests(path) for path, found in entry.inputs)

    def digests(self, path: str) -> frozenset[str]:
        """What stands for a path: the digest of what is there, or all that hold of one that is not."""
        if path not in self._digests:
            self._digests[path] = frozenset()  # a circle, which no workflow has, would hold nothing
            own = self.ledger.digests.of(path)
            held = [own] if own is not None else [e.digest for e in self.ledger.candidates(path) if self.holds(e)]
            self._digests[path] = frozenset(held)
        return self._digests[path]

    def time(self, path: str) -> int:
        """The time, ns, that a path should have: no older than what it was made from, be that there or not."""
        if path not in self._times:
            own = self.ledger.digests.of(path)
            self._times[path] = 0 if own is None else provenance.time_of(self.ledger.workspace / path)
            held = self.holding(path) if own is not None and path not in self.settled else None
            made_from = [held] if held else [] if own is not None else self.ledger.candidates(path)
            inputs = {input for entry in made_from for input, _ in entry.inputs}
            self._times[path] = max([self._times[path], *(self.time(input) for input in inputs)])
        return self._times[path]


def _inputs(content: dict[str, Any]) -> list[str]:
    return content.get("input") or []
