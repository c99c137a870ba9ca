"""What every program of the workflow shares: settings, counts, a last line in the log, and errors in plain words."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from kaiku import settings as configuration
from kaiku.errors import NO_ROOM, NO_WRITING, KaikuError, of_system
from kaiku.planning import history
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import atomic
from kaiku.store.items import Counts
from kaiku.store.owner import owning

JOBS = Path("work/jobs")
"""Locks of jobs whose stage keeps nothing of its own in work/carry."""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A program's argument parser with what all of them take."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--settings", type=Path, default=Path("work/settings.json"), help="the resolved configuration")
    made.add_argument("--log", type=Path, help="the job's log; item counts and seconds go beside it, as .counts.json")
    return made


def read_settings(path: Path) -> Settings:
    """The configuration as the workflow resolved it."""
    if not path.exists():
        raise KaikuError(f"{path} is not there", remedy="Run `snakemake -n` in the workspace once; it writes the file.")
    return configuration.load(json.loads(path.read_text()))


def run(program: Callable[[argparse.Namespace], Counts], args: argparse.Namespace) -> int:
    """Run a program's work; returns its exit status. A KaikuError is one `error:` line, anything else a traceback."""
    begun, used = time.monotonic(), time.process_time()
    try:
        with _alone(args):
            counts = program(args)
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return getattr(error, "exit_code", 1)
    except OSError as error:
        if error.errno not in (*NO_ROOM, *NO_WRITING):
            traceback.print_exc()
        print(f"error: {of_system(error)}", file=sys.stderr, flush=True)
        return 1
    seconds, cpu_s = time.monotonic() - begun, time.process_time() - used
    figures = {**asdict(counts), "seconds": round(seconds, 3), "cpu_seconds": round(cpu_s, 3)}
    if args.log is not None:
        atomic.write_json(args.log.with_suffix(".counts.json"), figures)
        history.record(args.log, figures)
    log(
        f"computed {counts.computed}, reused {counts.reused}, failed {counts.failed}"
        + (f", damaged {counts.damaged}" if counts.damaged else "")
        + f" in {seconds:.1f} s ({cpu_s:.1f} s CPU)"
    )
    return 0


@contextmanager
def _alone(args: argparse.Namespace) -> Iterator[None]:
    """Own the job's work where its stage does not by itself: an orphan of a killed run publishes before its successor.

    Or not at all: one that still waited when the successor came is superseded.
    """
    if args.log is None or hasattr(args, "carry"):
        yield
        return
    with owning(JOBS / args.log.parent.name / args.log.stem):
        for name in ("out", "licences", "rows", "record"):
            if hasattr(args, name):
                atomic.sweep(getattr(args, name))
        yield


def main(program: Callable[[argparse.Namespace], Counts], parsed: argparse.ArgumentParser, argv: Sequence[str] | None):
    """Parse and run: the last line of a program's `main(argv=None)`."""
    return run(program, parsed.parse_args(argv))
