"""The Makefile hands a value over as it was given, whatever the shell would make of it."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
ODD = """two  words 'and' "quotes" ; `more` > here"""
WORDS = ODD.split()


def called(target, *values):
    """Words of the last command that a target would run."""
    made = ["make", "--dry-run", "--no-print-directory", "-o", "setup", target, *values]
    bare = {"PATH": os.environ["PATH"], "HOME": "/home/me"}
    done = subprocess.run(made, cwd=REPO, env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = done.stdout.replace("\\\n", " ").splitlines()[-1]
    return shlex.split(command)


@pytest.mark.parametrize(
    ("target", "names", "handed"),
    [
        ("new", "NAME DATA WHERE", [f"--name={ODD}", f"--data={ODD}", f"--where={ODD}"]),
        ("check", "WORKSPACE BASE", [f"--workspace={ODD}", f"--base={ODD}"]),
        ("plan", "TARGETS", WORDS),
        ("plan", "CONFIG", ["--", f"--configfile={' '.join(WORDS)}"]),
        ("explain", "CLIP CORPUS", [ODD, f"--corpus={ODD}"]),
        ("review", "DATASET PORT", [f"--dataset={ODD}", f"--port={ODD}"]),
        ("survey", "DATASET", [f"results/datasets/{word}/report.html" for word in WORDS]),
        ("heard", "SPEAKER CORPUS", [ODD, f"--corpus={ODD}"]),
        ("catalog", "WORDS", WORDS),
        ("collect", "CORPUS", [f"--corpus={ODD}"]),
        ("accept", "WORKSPACE SINCE BEFORE", [f"--workspace={ODD}", f"--since={ODD}", f"--before={ODD}"]),
        ("clean-work", "KEEP_GB OLDER_DAYS", [f"--keep-gb={ODD}", f"--older-days={ODD}"]),
        ("reshard", "CORPUS SHARDS", [f"--corpus={ODD}", f"--shards={ODD}"]),
    ],
)
def test_a_value_reaches_its_program_as_it_was_given(target, names, handed):
    assert called(target, *(f"{name}={ODD}" for name in names.split()))[-len(handed) :] == handed


def test_a_configuration_may_lie_in_the_home_folder():
    assert called("plan", "CONFIG=~/my.yaml")[-1] == "--configfile=/home/me/my.yaml"


def test_what_is_not_given_is_not_handed_over():
    assert called("accept")[-1] == "workflow_scripts.accept_code"
    assert called("plan")[-1] == "workflow_scripts.plan_run"
