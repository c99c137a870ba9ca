"""A bar with an ETA on each long stage: live on a terminal, sparse lines in a log."""

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

LINE_EVERY_S = 10.0
SCREEN = "KAIKU_SCREEN"
"""Environment variable with the file descriptor of the workflow's screen."""


def track(items: Iterable[T], *, total: int | None, label: str, unit: str = "item") -> Iterator[T]:
    """Yield `items` while a bar with rate and ETA is kept; into a file, a line at most every 10 seconds."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, unit=unit, file=sys.stderr, dynamic_ncols=True)
        return
    begun = said = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= LINE_EVERY_S:
            said = now
            tell(_line(label, unit, done, total, now - begun))


def log(message: str) -> None:
    """One line to the job's log, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def tell(message: str) -> None:
    """One line to the log, and to the screen of the workflow where the job's own output goes into a file."""
    log(message)
    screen = os.environ.get(SCREEN)
    if screen:
        with contextlib.suppress(OSError, ValueError):  # whoever watched may be gone; the job goes on
            os.write(int(screen), f"{time.strftime('%H:%M:%S')} {message}\n".encode())


def _line(label: str, unit: str, done: int, total: int | None, elapsed_s: float) -> str:
    rate = done / elapsed_s
    if not total:
        return f"{label}: {done} {unit}s, {rate:.1f}/s"
    left_s = (total - done) / rate
    return f"{label}: {done}/{total} {unit}s ({done / total:.0%}), {rate:.1f}/s, {_clock(left_s)} left"


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"
