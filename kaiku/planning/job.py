"""A job as the workflow plans it: what it would read and make, how its program is called, and what is on record."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Past:
    """What is on record of the job that made an output: its parameters as they were told, and its inputs."""

    params: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def key(self) -> str | None:
        """The text of the stage's key among the parameters."""
        return next((text for text in self.params if text.startswith('{"code":')), None)


@dataclass(frozen=True)
class Job:
    """One planned job.

    arguments: those of its program, as the job would get them. updated: inputs that changed since and that no planned
    job makes. missing, incomplete: outputs that are not there, or not whole. said: the workflow's own reason.
    """

    rule: str
    names: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str
    arguments: tuple[str, ...]
    updated: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    inputs_changed: bool = False
    forced: bool = False
    said: str = ""
    past: Past | None = None

    @property
    def name(self) -> str:
        """Name of the job within its rule, that of its log: `toy-otso-000`."""
        return Path(self.log).stem

    @property
    def is_root(self) -> bool:
        """Whether it has a reason of its own, and is not only behind another planned job."""
        return bool(self.updated or self.missing or self.incomplete or self.inputs_changed or self.forced)


@dataclass(frozen=True)
class Plan:
    """All planned jobs, each after those it needs; `all`, which makes nothing, left out."""

    jobs: tuple[Job, ...] = ()
    makers: Mapping[str, Job] = field(default_factory=dict)

    def needs(self, job: Job) -> list[Job]:
        """The planned jobs that make inputs of a job."""
        return list({id(m): m for path in job.inputs if (m := self.makers.get(path))}.values())


def plan_of(jobs: Iterable[Job]) -> Plan:
    """The jobs in an order in which they could run."""
    jobs = list(jobs)
    makers = {output: job for job in jobs for output in job.outputs}
    return Plan(tuple(_in_order(jobs, makers)), makers)


def _in_order(jobs: list[Job], makers: Mapping[str, Job]) -> Iterator[Job]:
    done: set[int] = set()
    waiting = list(reversed(jobs))
    while waiting:
        job = waiting[-1]
        before = [m for path in job.inputs if (m := makers.get(path)) and id(m) not in done]
        if before and id(job) not in done:
            waiting += before
            continue
        waiting.pop()
        if id(job) not in done:
            done.add(id(job))
            yield job
