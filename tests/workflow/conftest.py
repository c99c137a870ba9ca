"""One whole run of the toy at reduced size, in a workspace of its own."""

import shutil

import pytest
import yaml
from small_world import REPO, Workspace


def reduced(config: dict) -> dict:
    """The toy's configuration with fewer steps and sentences; its codec whole, or nobody understands what it says."""
    for run, steps in (("toy-base", 240), ("toy", 120)):
        own = config["runs"][run]
        own["train"] |= {"max_steps": steps, "eval_every": 40, "save_every": 40}
        own["samples"] = {"sentences": 8}
    return config


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Workspace:
    """The reduced toy after one whole run."""
    root = tmp_path_factory.mktemp("toy")
    shutil.copytree(REPO / "toy/corpus", root / "toy/corpus")
    (root / "config").mkdir()
    workspace = Workspace(root)
    workspace.configure(reduced(yaml.safe_load((REPO / "config/config.yaml").read_text())))
    workspace.snakemake()
    return workspace
