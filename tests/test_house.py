"""The house keeps its own rules: names, doors between rooms, and a lock that is current."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kaiku import stages
from kaiku.store import code
from workflow_scripts import lock_code

REPO = Path(__file__).parents[1]
MODULES = sorted(p for folder in ("kaiku", "workflow_scripts") for p in (REPO / folder).rglob("*.py"))
PROGRAMS_WITHOUT_RULE = {
    "accept_code",
    "new_workspace",
    "check_machine",
    "scan_corpus",
    "clean_work",
    "show_disk",
    "list_runs",
    "list_catalog",
    "reshard_corpus",
    "lock_code",
    "retry_failed",
    "stop_run",
    "plan_run",
    "explain_clip",
    "find_heard",
    "snapshot",
    "merge_locks",
    "review_dataset",
}


def imports(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {n.module or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)}


def test_the_code_lock_is_current():
    assert lock_code.current() == code.read_lock(), "run `make lock-code`"


def test_every_rule_has_a_program_and_a_log_of_its_name():
    text = "".join(path.read_text() for path in sorted((REPO / "rules").glob("*.smk")))
    rules = set(re.findall(r"^rule (\w+):", text, re.M))
    called = set(re.findall(r"program\(\s*\"(\w+)\"", text))
    programs = {p.stem for p in (REPO / "workflow_scripts").glob("*.py")} - {"__init__"}
    assert rules <= called | {"all"} and called == programs - PROGRAMS_WITHOUT_RULE
    for rule in rules:
        assert f'"logs/{rule}/' in text, rule


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(REPO).as_posix())
def test_doors_between_rooms(path):
    name, found = path.relative_to(REPO).as_posix(), imports(path)
    assert not any(i.partition(".")[0] == "torchaudio" for i in found)
    assert not any(i.partition(".")[0] == "snakemake" for i in found), "only the Snakefile knows Snakemake"
    assert len(path.read_text().splitlines()) <= 400
    assert not any(i.startswith("workflow_scripts") for i in found) or name.startswith("workflow_scripts")


@pytest.mark.parametrize("module", stages.computing_modules())
def test_computing_modules_import_no_plumbing(module):
    rooms = {member.split(".")[1] for member in code.closure(module)}
    assert rooms.isdisjoint({"settings", "stages", "workspace", "job", "loading"})
    assert {m for m in code.closure(module) if m.startswith("kaiku.store")} <= {
        "kaiku.store.protos",
        "kaiku.store.wire",
    }


HEAVY = ("torch", "transformers", "pandas", "soundfile", "librosa", "scipy", "onnxruntime", "av", "huggingface_hub")


def test_reading_a_configuration_imports_nothing_heavy():
    code = (
        "import sys, yaml; from kaiku.settings import load; load(yaml.safe_load(open('config/config.yaml')));"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
