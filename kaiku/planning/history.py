"""Seconds from this machine's own past: what a stage's jobs took a unit, and what starting one takes.

`work/history/{rule}/{job}.json` holds the figures of the last run of each job that computed anything, so that a later
run which found everything there does not erase them. It is local, like all of `work/`.
"""

import json
import platform
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaiku.store import atomic

FOLDER = Path("work/history")
LEAST_SPREAD = 3
"""From a longest job that many times the shortest on, the time to start (models loaded) is told from that of items."""


@dataclass(frozen=True)
class Pace:
    """A stage's pace: seconds a unit, seconds once a job that computes anything, and seconds to start any job.

    jobs: how many it is the median of. machine: where it was taken, where that is another one.
    """

    per_unit_s: float
    once_s: float
    start_s: float
    jobs: int
    machine: str = ""

    def seconds(self, units: Iterable[int]) -> float:
        """Seconds of some jobs one after another, given the units each has to compute."""
        return sum(self.start_s + (self.once_s + self.per_unit_s * count if count else 0) for count in units)


def record(log: Path, figures: Mapping[str, float]) -> None:
    """Keep the figures of a job that computed something. log: the job's, whose rule and name it tells."""
    if figures["computed"]:
        path = FOLDER / log.parent.name / f"{log.stem}.json"
        atomic.write_json(path, {**figures, "machine": platform.node()})


def pace(rule: str, *, job: str = "", units: float | None = None) -> Pace | None:
    """The pace of a rule's jobs here, else on another machine; None where nothing is known.

    job: that one's alone. units: how many it computed, where its counts do not say (steps of a training).
    """
    known = [json.loads(path.read_text()) for path in sorted((FOLDER / rule).glob(f"{job or '*'}.json"))]
    here = [figures for figures in known if figures["machine"] == platform.node()]
    figures = here or known
    if not figures:
        return None
    once_s, per_unit_s = _line([(units or own["computed"], own["seconds"]) for own in figures])
    return Pace(per_unit_s, once_s, _start_s(rule), len(figures), "" if here else figures[0]["machine"])


def _line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Seconds once and seconds a unit: by the median slope (Theil and Sen) where jobs differ enough, else by shares."""
    counts = [count for count, _ in points]
    if max(counts) >= LEAST_SPREAD * min(counts):
        slopes = [(s2 - s1) / (n2 - n1) for n1, s1 in points for n2, s2 in points if n2 > n1]
        slope = statistics.median(slopes)
        once_s = statistics.median(seconds - slope * count for count, seconds in points)
        if slope > 0 and once_s >= 0:
            return once_s, slope
    return 0.0, statistics.median(seconds / count for count, seconds in points)


def _start_s(rule: str) -> float:
    """Seconds that a job takes besides its work: Snakemake's clock around the process less the program's own."""
    found = []
    for path in Path("logs", rule).glob("*.counts.json"):
        benchmark = path.with_name(path.name.removesuffix(".counts.json") + ".tsv")
        if benchmark.is_file():
            whole_s = float(benchmark.read_text().splitlines()[1].split("\t")[0])
            found.append(max(0.0, whole_s - json.loads(path.read_text())["seconds"]))
    return statistics.median(found) if found else 0.0
