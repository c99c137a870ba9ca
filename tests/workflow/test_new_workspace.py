"""What `make new` writes, through real Snakemake: it plans, its jobs run, and the workspace's own guards are on."""

import os
import re
import subprocess
import sys

import pytest
import small_world
from small_world import REPO


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace made for twelve clips in a folder whose name has a blank and Telugu in it."""
    root = tmp_path_factory.mktemp("new")
    data = root / "my data తెలుగు" / "kai"
    data.mkdir(parents=True)
    for number in range(12):
        small_world.write_clip(data / f"clip-{number}.wav", number)
        (data / f"clip-{number}.lab").write_text(small_world.sentence(number) + "\n")
    make = ["make", "-s", "-o", "setup", "new", "NAME=kai", f"DATA={data.parent}", "LANGUAGE=fi", "LICENCE=CC0-1.0"]
    done = subprocess.run([*make, f"WHERE={root / 'kai'}"], cwd=REPO, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "kai"


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}


def snakemake(workspace, *options):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options]
    done = subprocess.run(command, cwd=workspace, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def test_it_plans_and_runs_with_the_guards_of_the_workflow_on(workspace):
    said = snakemake(workspace, "-n")
    assert "profiles/default" in said and "system kai; corpora kai (12 recordings)" in said
    table = re.search(r"Job stats:\n.*?\n-.*?\n(.*?)\ntotal", said, re.DOTALL)[1]
    planned = {rule: int(count) for rule, count in map(str.split, table.splitlines())}
    stages = ("segment_recordings", "transcribe_segments", "measure_segments", "select_segments")
    assert planned == dict.fromkeys((*stages, "all"), 1)
    snakemake(workspace)
    attested = (workspace / "work/attested").read_text()
    assert "data/selection/kai-v1/kai/000.parquet" in attested, "onsuccess of the workflow ran"
    assert "Nothing to be done" in snakemake(workspace, "-n")
