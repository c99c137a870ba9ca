"""What it costs to find that a corpus did not change, beside a bare walk of its folder with the same calls of stat.

python benchmarks/refreshing.py --recordings 100000
python benchmarks/refreshing.py --recordings 20000 --cues 50        each with captions of 50 cues

Also: the first scan, which reads every file once, and the scan after one recording was added.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from planning import write_recordings

from kaiku.layouts import recordings
from kaiku.store import scan

REPEATS = 5
_opened: list[str] | None = None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=100_000)
    parser.add_argument("--cues", type=int, default=0, help="captions beside each recording, of so many cues")
    parser.add_argument("--shards", type=int, default=256)
    args = parser.parse_args(argv)
    sys.addaudithook(_note_openings)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        raw = root / "raw"
        write_recordings(raw, args.recordings, args.cues)
        refresh = partial(
            scan.scan, raw, root / "manifests", root / "stat.pickle", discover, shards=args.shards, how="benchmark"
        )
        first_s, first_opened = cost(refresh, raw)
        walk_s = min(cost(partial(walk, raw), raw)[0] for _ in range(REPEATS))
        again = [cost(refresh, raw) for _ in range(REPEATS)]
        (raw / "000/added.mp3").write_bytes(b"added")
        added_s, added_opened = cost(refresh, raw)
    again_s = min(seconds for seconds, _ in again)
    show("first scan", first_s, first_opened, "")
    show(
        "unchanged", again_s, max(count for _, count in again), f"{again_s / walk_s:.2f} x a bare walk, {walk_s:.2f} s"
    )
    show("one recording added", added_s, added_opened, f"{added_s / walk_s:.2f} x")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def discover(files, read):
    """The folder as the layout `recordings` reads it."""
    return recordings.discover(files, read, recordings.Settings(speaker="aino", language="fi"))


def cost(run: Callable[[], object], raw: Path) -> tuple[float, int]:
    """CPU seconds of a run, and how many files under `raw` it opened."""
    global _opened
    _opened = []
    begun = time.process_time()
    run()
    seconds, opened = time.process_time() - begun, [path for path in _opened if path.startswith(str(raw))]
    _opened = None
    return seconds, len(opened)


def walk(folder: Path | str) -> int:
    """Size of everything under a folder: the least that any look at all files costs."""
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            size += walk(entry.path) if entry.is_dir() else entry.stat().st_size
    return size


def show(name: str, seconds: float, opened: int, ratio: str) -> None:
    """One line of the table."""
    print(f"{name:20} {seconds:7.2f} s CPU {opened:8} opened   {ratio}")


def _note_openings(event: str, arguments: tuple) -> None:
    if _opened is not None and event == "open":
        _opened.append(str(arguments[0]))


if __name__ == "__main__":
    main()
