"""The list of runs: what was trained from what, how well, and what lies here."""

import json

import pytest
import yaml

from kaiku import settings as configuration
from kaiku.housekeeping import runs
from workflow_scripts import list_runs

CONFIG = """
system: small
corpora:
  otso: {layout: recordings, licence: CC0-1.0}
datasets:
  otso: {corpora: [otso]}
codecs:
  env: {kind: env, dataset: otso}
runs:
  first: {family: fish, dataset: otso, codec: env}
  second: {family: fish, base: first, dataset: otso, codec: env}
"""


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Run `first` is whole, `second` unfinished at step 30 with an older try set aside, `third` was configured once."""
    monkeypatch.chdir(tmp_path)
    settings = configuration.load(yaml.safe_load(CONFIG))
    put(tmp_path / "work/settings.json", settings.model_dump_json())
    for name in ("first", "third"):
        models = tmp_path / "models" / name
        put(models / "checkpoints/run.json", {"family": "fish"})
        put(models / "checkpoints/best.json", {"last": 120, "step": 80, "val_loss": 4.5})
        put(models / "checkpoints/step_000080/model", "x" * 300)
        put(models / "checkpoints/step_000120/model", "x" * 200)
        put(models / "merged/metadata.json", {"base": {"name": "big"}, "dataset": "otso"})
        licences = {"corpus otso": "CC0-1.0", "base big": "CC-BY-4.0"}
        put(tmp_path / f"results/{name}/licences.json", licences)
    put(tmp_path / "dist/first.tar.gz", "x" * 77)
    state = tmp_path / "work/runs/second"
    put(state / "current/key.json", {})
    put(state / "current/resume/step_000020/model", "x" * 40)
    put(state / "current/resume/step_000030/model", "x" * 40)
    put(state / "set-aside/1234abcd-1/resume/step_000010/model", "x" * 40)
    put(state / "set-aside/1234abcd-1/changes.json", {"changed": {"params.lora.r": {"before": 8, "after": 16}}})
    return settings


def test_every_run_with_what_is_here(workspace):
    first, second, third = runs.runs(workspace)
    assert (first.name, first.configured, first.base, first.licences) == (
        "first",
        True,
        "big",
        ["CC-BY-4.0", "CC0-1.0"],
    )
    assert (first.steps, first.best_step, first.val_loss) == (120, 80, 4.5)
    assert first.checkpoints == {80: 300, 120: 200} and first.package_bytes == 77 and first.states == []
    assert (second.base, second.steps, second.val_loss, second.time) == ("first", None, None, None)
    assert second.licences == ["CC0-1.0"] and second.checkpoints == {} and second.merged_bytes == 0
    assert [(s.step, s.bytes) for s in second.states] == [(30, 82), (10, 40 + len(json.dumps(CHANGES)))]
    assert "params.lora.r" in second.states[1].status
    assert (third.name, third.configured, third.family) == ("third", False, "fish")
    assert third.licences == ["CC-BY-4.0", "CC0-1.0"]


CHANGES = {"changed": {"params.lora.r": {"before": 8, "after": 16}}}


def test_without_a_configuration_what_the_models_say(workspace):
    assert [(run.name, run.configured) for run in runs.runs(None)] == [
        ("first", False),
        ("second", False),
        ("third", False),
    ]


def test_the_table(workspace, capsys):
    assert list_runs.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["run", "family", "base", "dataset"] and len(lines) == 6
    assert "2 (500 B)" in lines[1] and "4.5000" in lines[1] and "77 B" in lines[1]
    assert lines[3].startswith("third (not configured)")
    assert lines[4].startswith("second: step 30, unfinished; 82 B")


def test_for_programs(workspace, capsys):
    assert list_runs.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in told] == ["first", "second", "third"]
    assert told[0]["checkpoints"] == {"80": 300, "120": 200}
