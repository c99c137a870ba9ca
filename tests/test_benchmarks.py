"""Every benchmark runs to its figures, at a size that says nothing of speed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
BENCHMARKS = REPO / "benchmarks"
TOOLS = {"timing"}  # imported by the others
CLIPS, RECORDINGS = (f"--corpus={REPO / 'toy/corpus' / name}" for name in ("clips/en-us", "otso"))

# What each is called with, and what it prints only when it came to its figures.
CALLS = {
    "carrying": ("--items=300", "limit: the bytes"),
    "checks": (f"{CLIPS} --most=2", "duplicates_before"),
    "checks speed": (f"{CLIPS} --most=2 --speed", "times as much in the same time"),
    "cuts": (RECORDINGS, "under their recording"),
    "encoding": (f"{RECORDINGS} --limit_s=20", "real time on one core"),
    "newcomer": ("--clips=4 --seconds=1", '"recordings_untouched": true'),
    "packing": ("--clips=50", "clips/s"),
    "planning": ("--clips=40 --recordings=8 --shards=2 --repeat=1", "no-op"),
    "refreshing": ("--recordings=50 --cues=2 --shards=2", "peak memory"),
    "reviewing": ("--clips=100 --shards=2", "a page of JSON"),
    "segmentation": (f"{CLIPS} --repeat=1", "hours of audio per core-hour"),
    "segmentation memory": (f"{CLIPS} --memory --hours=0.01", "of audio held at most"),
    "selecting": ("--clips=100", "every one accounted for"),
}


def test_each_benchmark_is_called_here():
    assert {name.split()[0] for name in CALLS} == {path.stem for path in BENCHMARKS.glob("*.py")} - TOOLS


@pytest.mark.parametrize("name", CALLS)
def test_it_runs_to_its_figures(name):
    arguments, said = CALLS[name]
    program = BENCHMARKS / f"{name.split()[0]}.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, program, *arguments.split()], env=environment, cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert said in done.stdout
