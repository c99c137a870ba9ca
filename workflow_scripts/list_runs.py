"""List the runs of the workspace: what each was trained from, how well, and what of it lies here.

python -m workflow_scripts.list_runs [--json]
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kaiku import job
from kaiku.housekeeping import runs, shown
from kaiku.housekeeping.runs import Run

HEAD = (
    "run",
    "family",
    "base",
    "dataset",
    "steps",
    "val loss",
    "best",
    "checkpoints",
    "merged",
    "package",
    "trained",
    "licences",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--json", action="store_true", help="for programs: sizes in bytes, times in seconds since 1970")
    args = parser.parse_args(argv)
    settings = job.read_settings(args.settings) if args.settings.exists() else None
    found = runs.runs(settings, Path())
    if args.json:
        print(json.dumps([asdict(run) for run in found], indent=1))
        return 0
    print(shown.table(HEAD, [line(run) for run in found], right=frozenset({4, 5, 6, 8, 9})))
    for run in found:
        for state in run.states:
            print(f"{run.name}: step {state.step}, {state.status}; {shown.size(state.bytes)}, {day(state.time)}")
    return 0


def line(run: Run) -> tuple[str, ...]:
    """A run's line of the table."""
    name = run.name if run.configured else f"{run.name} (not configured)"
    trained = run.steps is not None
    return (
        name,
        run.family,
        run.base or "-",
        run.dataset,
        str(run.steps) if trained else "-",
        f"{run.val_loss:.4f}" if trained else "-",
        str(run.best_step) if trained else "-",
        f"{len(run.checkpoints)} ({shown.size(sum(run.checkpoints.values()))})" if run.checkpoints else "-",
        shown.size(run.merged_bytes) if run.merged_bytes else "-",
        shown.size(run.package_bytes) if run.package_bytes else "-",
        day(run.time) if run.time else "-",
        ", ".join(run.licences),
    )


def day(seconds: float) -> str:
    """A time as date and minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


if __name__ == "__main__":
    raise SystemExit(main())
