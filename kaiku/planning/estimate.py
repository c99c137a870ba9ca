"""A plan's works summed by stage: jobs, units, seconds by this machine's history, bytes by what is there."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaiku.planning import history
from kaiku.planning.history import Pace
from kaiku.planning.stored import published
from kaiku.planning.work import Work
from kaiku.stages import ITEM_RULES

OWN_LINE = ("train_model", "train_codec")
"""Rules whose jobs are so dear that each has a line of its own."""

SAMPLED = 16  # artefacts of a stage that its bytes a unit are taken from
SPARE = 1.1  # warn where less than this much of what is needed is free


@dataclass(frozen=True)
class Stage:
    """One line of a plan: its jobs' units to compute, units there, and seconds (None: no history).

    about: some of the units are estimated; more: there are others that nobody can count yet.
    """

    name: str
    unit: str
    jobs: int
    compute: int
    there: int
    about: bool
    more: bool
    notes: tuple[str, ...]
    seconds: float | None
    machine: str = ""


@dataclass(frozen=True)
class Disk:
    """Bytes that will be added by stage (None: nothing like it is there yet), and bytes that are free."""

    added: dict[str, int | None]
    free: int

    @property
    def total(self) -> int:
        """Bytes of the stages whose bytes are known."""
        return sum(size for size in self.added.values() if size)

    @property
    def is_short(self) -> bool:
        """Whether the disk may not hold it."""
        return self.total * SPARE > self.free


def by_stage(works: Iterable[Work]) -> list[Stage]:
    """Lines of a plan, in the order of its jobs."""
    groups: dict[str, list[Work]] = {}
    for work in works:
        name = work.job.rule
        groups.setdefault(f"{name} {work.job.name}" if name in OWN_LINE else name, []).append(work)
    return [_stage(name, group) for name, group in groups.items()]


def disk(works: Sequence[Work], folder: Path = Path()) -> Disk:
    """Bytes that the works will add, by what their stages' units take now. What a job writes anew before it lets go of
    the old is not in it."""
    added: dict[str, int | None] = {}
    for rule in dict.fromkeys(work.job.rule for work in works):
        of_rule = [work for work in works if work.job.rule == rule and work.compute != 0]
        if of_rule:
            sizes = [_added(work) for work in of_rule]
            added[rule] = None if None in sizes else sum(sizes)
    return Disk(added, shutil.disk_usage(folder).free)


def _stage(name: str, works: Sequence[Work]) -> Stage:
    counts = [work.compute for work in works if work.compute is not None]
    pace = _pace(works[0])
    return Stage(
        name,
        works[0].unit,
        len(works),
        sum(counts),
        sum(work.there for work in works),
        any(work.about for work in works),
        len(counts) < len(works),
        tuple(_notes(works)),
        pace.seconds(counts) if pace and counts else None,
        pace.machine if pace else "",
    )


def _notes(works: Sequence[Work]) -> list[str]:
    tally = sum((Counter(work.tally) for work in works), Counter())
    counted = [f"{count} {what}" for what, count in tally.items() if count]
    notes = [work.note for work in works if work.note]
    if len(works) == 1:
        return counted + notes
    return counted + [f"{notes.count(note)} of {len(works)}: {note}" for note in dict.fromkeys(notes)]


def _pace(work: Work) -> Pace | None:
    rule, name = work.job.rule, work.job.name
    if rule == "train_model":
        steps = _steps_trained(work.job.names["run"])
        return history.pace(rule, job=name, units=steps) if steps else None
    if rule in ITEM_RULES or rule == "select_segments":
        return history.pace(rule)
    return history.pace(rule, job=name) or history.pace(rule)


def _steps_trained(run: str) -> int | None:
    record = Path("models", run, "checkpoints", "run.json")
    return json.loads(record.read_text())["steps"] if record.is_file() else None


def _added(work: Work) -> int | None:
    if work.compute is None:
        return None
    if work.job.rule not in ITEM_RULES:
        there = [Path(output) for output in work.job.outputs]
        return sum(map(_size, there)) if all(path.exists() for path in there) else None
    per_item = _bytes_per_item(work)
    return None if per_item is None else round(per_item * work.compute)


def _bytes_per_item(work: Work) -> float | None:
    """By the job's own artefact, else by others of its stage."""
    own = [Path(output) for output in work.job.outputs]
    siblings = sorted(own[0].parent.parent.glob(f"*/*{own[0].suffix}"))[:SAMPLED]
    for candidates in ([own[0]], siblings):
        items = size = 0
        for rows_path in candidates:
            items += len(published(rows_path).keys)
            size += sum(_size(rows_path.with_suffix(path.suffix)) for path in own)
        if items:
            return size / items
    return None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else 0
