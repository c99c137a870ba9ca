"""A bar with an ETA on each long stage: live on a terminal, sparse lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def track(items: Iterable[T], *, total: int | None, label: str, unit: str = "item") -> Iterator[T]:
    """Yield `items` while a bar with rate and ETA is kept; into a file, a line at most every 10 seconds."""
    terminal = sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=label,
        unit=unit,
        file=sys.stderr,
        mininterval=0.2 if terminal else 10.0,
        leave=True,
        dynamic_ncols=terminal,
        ascii=not terminal,
    ) as bar:
        for item in items:
            yield item
            bar.update()


def log(message: str) -> None:
    """One line to the job's log, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)
