"""The oldest Snakemake that is supported: the proofs of this folder, and the repository's own workflow, run under it.

KAIKU_OLDEST_PYTHON names the interpreter of an environment of envs/requirements-oldest.txt; `make oldest` makes one and
runs this. The newest one is that of the environment the tests run in.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]
PYTHON = os.environ.get("KAIKU_OLDEST_PYTHON", "")
PINS = REPO / "envs/requirements-oldest.txt"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", "KAIKU_OLDEST_PYTHON": ""}
TARGET = "data/selection/faults/faults/000.parquet"

CONFIG = {
    "system": "oldest",
    "corpora": {
        "faults": {
            "path": "faults",
            "layout": "recordings",
            "language": "fi",
            "speaker": "otso",
            "licence": "CC0-1.0",
            "max_failed": 1.0,
        }
    },
    "datasets": {"faults": {"corpora": ["faults"], "split": {"val": 0}}},
}


def pinned():
    return re.search(r"^snakemake==(\S+)$", PINS.read_text(), re.M)[1]


def test_the_oldest_is_the_lower_bound():
    """What the Snakefile asks for, what the environment's source asks for, and what is tried, are one version."""
    series = ".".join(pinned().split(".")[:2])
    assert re.search(r'min_version\("(.+?)"\)', (REPO / "Snakefile").read_text())[1] == series
    assert f"\nsnakemake>={series},<10\n" in (REPO / "envs/requirements.in").read_text()


needs_oldest = pytest.mark.skipif(not PYTHON, reason="KAIKU_OLDEST_PYTHON names no interpreter (`make oldest`)")


@needs_oldest
def test_the_proofs_of_this_folder_hold():
    version = subprocess.run([PYTHON, "-m", "snakemake", "--version"], capture_output=True, text=True)
    assert version.stdout.strip() == pinned()
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "tests/workspace"],
        cwd=REPO,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(REPO / "toy/corpus/faults", tmp_path / "faults")
    (tmp_path / "config").mkdir()

    def snakemake(max_failed, margin_ms, *options):
        CONFIG["corpora"]["faults"] |= {"max_failed": max_failed, "segment": {"margin_ms": margin_ms}}
        (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(CONFIG))
        command = [PYTHON, "-m", "snakemake", "--snakefile", str(REPO / "Snakefile"), "--directory", str(tmp_path)]
        command += ["--cores", "2", *options, TARGET]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return snakemake


@needs_oldest
def test_the_workflow_runs_and_remembers_a_failure(workspace, tmp_path):
    """Trap: after a failed job its record holds the new parameters; with the output gone, nothing must hide that."""
    status, said = workspace(1.0, 150)
    assert status == 0, said[-4000:]
    status, said = workspace(1.0, 150, "--dry-run")
    assert status == 0 and "Nothing to be done" in said
    status, said = workspace(0.05, 140)
    assert status != 0 and "Error in rule segment_recordings" in said
    status, said = workspace(0.05, 140, "--dry-run")
    assert status == 0 and "rule segment_recordings" in said and "rule select_segments" in said
    status, said = workspace(1.0, 140)
    assert status == 0, said[-4000:]
    assert (tmp_path / TARGET).stat().st_size > 0
    status, said = workspace(1.0, 140, "--dry-run")
    assert status == 0 and "Nothing to be done" in said
