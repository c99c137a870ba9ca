"""The whole way in a copy of the code: an edit, what it makes stale, the comparison, and what the lock says after."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kaiku.acceptance import locked
from kaiku.errors import KaikuError
from kaiku.settings import DEFAULT_CHECKS
from kaiku.store import code

REPO = Path(__file__).parents[2]
COPIED = ("kaiku", "workflow_scripts", "rules", "profiles", "envs")
TARGET = "data/selection/en/en/000.parquet"
CONFIG = {
    "system": "accepting",
    "corpora": {
        "en": {"path": "en", "layout": "wav_lab", "language": "en-US", "speaker": "june", "licence": "CC0-1.0"},
    },
    "datasets": {"en": {"corpora": ["en"], "split": {"by": "clip", "val": 0}}},
}
NEUTRAL = ("peak = float(np.abs(samples).max(initial=0))", "peak = float(max(samples.max(), -samples.min(), 0))")
HARMFUL = ('{"duration_s": clip.duration_s}', '{"duration_s": clip.duration_s + 0.5}')
LEVEL, DURATION = "kaiku/checks/level.py", "kaiku/checks/duration.py"


class Copy:
    """A copy of the code with the sources as they were beside it, and a workspace made with it."""

    def __init__(self, root: Path):
        self.root, self.code, self.before, self.workspace = root, root / "code", root / "before", root / "workspace"
        ignore = shutil.ignore_patterns("__pycache__", "*.kept")
        for name in COPIED:
            shutil.copytree(REPO / name, self.code / name, ignore=ignore)
        for name in ("Snakefile", "code.lock"):
            shutil.copy(REPO / name, self.code / name)
        shutil.copytree(REPO / "toy/corpus/clips/en-us", self.workspace / "en")
        (self.workspace / "config").mkdir()
        (self.workspace / "config/config.yaml").write_text(yaml.safe_dump(CONFIG))
        self.python("-m", "workflow_scripts.lock_code")
        shutil.copytree(self.code / "kaiku", self.before / "kaiku", ignore=ignore)

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(self.code), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.workspace, env=environment, capture_output=True, text=True
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    def snakemake(self, *options: str) -> str:
        done = self.python("-m", "snakemake", "--snakefile", str(self.code / "Snakefile"), "-c2", *options, TARGET)
        return done.stdout + done.stderr

    def planned(self) -> dict[str, int]:
        said = self.snakemake("--dry-run")
        table = said.split("Job stats:")[1].split("total")[0] if "Job stats:" in said else ""
        return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.code / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def accept(self) -> subprocess.CompletedProcess:
        return self.python("-m", "workflow_scripts.accept_code", "--before", str(self.before), check=False)

    def lock(self) -> str:
        return (self.code / "code.lock").read_text()

    def counts(self) -> dict:
        return json.loads((self.workspace / "logs/measure_segments/en.000.counts.json").read_text())


def test_a_neutral_edit_is_accepted_and_a_harmful_one_refused(tmp_path):
    copy = Copy(tmp_path)
    copy.snakemake()
    assert copy.counts()["computed"] == 3 * len(DEFAULT_CHECKS)
    first = copy.lock()

    copy.edit(LEVEL, *NEUTRAL)
    copy.edit(DURATION, *HARMFUL)
    done = copy.accept()
    assert done.returncode == 1 and "make lock-code" in done.stderr
    assert "kaiku.checks.level: equal\n    measure_segments: 3 of 3 equal" in done.stdout
    assert (
        "kaiku.checks.duration: NOT SHOWN TO BE EQUAL\n    measure_segments: 3 of 3 differ, by up to 0.5" in done.stdout
    )
    entries, before = (re.findall(r"^(\S+) (v\d+) (\S+)$", text, re.M) for text in (copy.lock(), first))
    changed = [(now, old) for now, old in zip(entries, before, strict=True) if now != old]
    assert [(now[0], now[1] == old[1]) for now, old in changed] == [("kaiku.checks.level", True)]

    copy.edit(DURATION, *reversed(HARMFUL))
    assert copy.planned() == {}


def test_the_sources_to_compare_with_must_be_the_locked_ones(tmp_path, monkeypatch):
    shutil.copytree(REPO / "kaiku", tmp_path / "kaiku", ignore=shutil.ignore_patterns("__pycache__", "*.kept"))
    module = "kaiku.checks.level"
    monkeypatch.setattr(code, "read_lock", lambda: {module: ("v1", code.code_digest(module))})
    locked.check(tmp_path, [module])
    path = tmp_path / LEVEL
    path.write_text(path.read_text().replace(*NEUTRAL))
    with pytest.raises(KaikuError, match=r"kaiku\.checks\.level: the sources to compare with are not those"):
        locked.check(tmp_path, [module])


def test_sources_come_from_git(tmp_path):
    def git(*arguments):
        author = ["-c", "user.name=kaiku", "-c", "user.email=kaiku@localhost"]
        subprocess.run(["git", "-C", str(tmp_path), *author, *arguments], check=True, capture_output=True)

    (tmp_path / "kaiku").mkdir()
    (tmp_path / "kaiku" / "a.py").write_text("then")
    git("init")
    git("add", "kaiku")
    git("commit", "-m", "then")
    (tmp_path / "kaiku" / "a.py").write_text("now")
    folder = locked.from_git("HEAD", tmp_path / "unpacked", tmp_path)
    assert (folder / "kaiku" / "a.py").read_text() == "then"
    with pytest.raises(KaikuError, match="git has no sources at v99"):
        locked.from_git("v99", tmp_path / "other", tmp_path)
