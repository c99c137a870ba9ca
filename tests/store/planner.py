"""What stands for Snakemake over the small workflow, and what is known of everything that it ever had computed."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from chain import Chain, Job, Watch

from kaiku.store import digest
from kaiku.workspace import before

Place = tuple[str, str]
"""A stage and a shard."""


@dataclass(frozen=True)
class Record:
    """A job as it was when it last ended well: its key, and the digests of its inputs and outputs."""

    key: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]


class Planner:
    """Runs what is stale and all downstream of it, and deletes a job's outputs before it starts."""

    def __init__(self, chain: Chain):
        self.chain = chain
        self.records: dict[Place, Record] = {}

    def run(self, watch: Watch) -> None:
        """Bring the workspace up to date."""
        for job in self.plan():
            self.start(job)
            self.finish(job, watch)

    def plan(self) -> list[Job]:
        """Jobs without a record, or whose key or files are not those of their record, or whose inputs will change."""
        shards = self.chain.scan().shards
        before.link_artefacts(self.chain.root)
        planned: list[Job] = []
        for shard in shards:
            changing: set[Path] = set()
            for job in self.chain.jobs(shard):
                if changing & set(job.inputs) or self.records.get(job.place) != _record(job):
                    planned.append(job)
                    changing |= set(job.outputs)
        return planned

    def start(self, job: Job) -> None:
        """What happens before a job: from here on it counts as unfinished."""
        self.records.pop(job.place, None)
        for path in job.outputs:
            path.unlink(missing_ok=True)

    def finish(self, job: Job, watch: Watch) -> None:
        """Run a job that was started."""
        job.run(job, watch)
        self.records[job.place] = _record(job)


def _record(job: Job) -> Record:
    digests = (tuple(digest.of_file(p) if p.exists() else None for p in paths) for paths in (job.inputs, job.outputs))
    return Record(job.key, *digests)


class Ledger:
    """Keys that no job of a place may compute again (`safe`), and those that one may or may not (`perhaps`)."""

    def __init__(self):
        self.safe: dict[Place, set[str]] = defaultdict(set)
        self.perhaps: dict[Place, set[str]] = defaultdict(set)

    def secure(self, place: Place, keys: set[str]) -> None:
        """These keys are on the disk."""
        self.safe[place] |= keys
        self.perhaps[place] -= keys

    def doubt(self, place: Place, keys: set[str]) -> None:
        """These keys may have been lost."""
        self.perhaps[place] |= self.safe[place] & keys
        self.safe[place] -= keys


class Process(Watch):
    """Follows one process from job to job, and refuses a computation that was not due or that was left out."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.job, self.is_computing = None, False

    def begin(self, job: Job, needed: set[str]) -> None:
        self.job, self.needed = job, needed
        self.missing, self.broken, self.new = set(), set(), set()

    def asked(self, job: Job, missing: list[str]) -> None:
        self.missing, self.is_computing = set(missing), bool(missing)
        absent = self.needed - self.ledger.safe[job.place]
        assert len(missing) == len(self.missing), f"{job.place}: an item twice"
        assert self.missing <= absent, f"{job.place}: finished items are computed again"
        assert absent - self.ledger.perhaps[job.place] <= self.missing, f"{job.place}: items come from nowhere"

    def works(self, job: Job, key: str) -> None:
        self.ledger.perhaps[job.place].add(key)  # from now on it may reach the disk, whatever becomes of this process

    def finished(self, job: Job, key: str) -> None:
        self.new.add(key)
        self.ledger.secure(job.place, {key})

    def failed(self, job: Job, key: str) -> None:
        self.broken.add(key)
        self.ledger.perhaps[job.place].discard(key)

    def through(self, job: Job) -> None:
        self.is_computing = False

    def end(self, job: Job) -> None:
        if not self.missing:
            self.asked(job, [])
        self.ledger.secure(job.place, self.needed - self.broken)
        self.job = None

    def lost_power(self, synced: bool) -> None:
        """The power was cut: what the job under way had finished may be lost, unless each item was synced."""
        if self.job is not None and not synced:
            self.ledger.doubt(self.job.place, self.new)
