"""A workspace of its own with a copy of the toy corpus, and one whole run of the toy at reduced size in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workspace:
    """A folder that Snakemake works in, with the repository's Snakefile."""

    root: Path

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.root / "config/config.yaml").read_text())

    def configure(self, config: dict) -> None:
        (self.root / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(REPO / "Snakefile"),
            "--directory",
            str(self.root),
        ]
        command += [*arguments, "--cores", "2", "--resources", "gpu=1"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.root)
        if check and done.returncode:
            pytest.fail(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs by rule that a dry run plans, `all` left out; empty where nothing is to be done."""
        done = self.snakemake("--dry-run", *arguments)
        text = done.stdout + done.stderr
        if "Nothing to be done" in text:
            return {}
        table = text.split("Job stats:")[1].split("total")[0]
        return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M) if rule != "all"}

    def counts(self, rule: str) -> dict[str, dict[str, int]]:
        """Item counts that the jobs of a rule wrote, by job."""
        found = sorted((self.root / "logs" / rule).glob("*.counts.json"))
        return {path.name.removesuffix(".counts.json"): json.loads(path.read_text()) for path in found}

    def metrics(self, run: str) -> dict:
        return json.loads((self.root / f"results/{run}/metrics.json").read_text())["figures"]


def reduced(config: dict) -> dict:
    """The toy's configuration with fewer steps and sentences."""
    config["codecs"]["toy"]["options"] = {"post_steps": 60}
    for run, steps in (("toy-base", 160), ("toy", 120)):
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
