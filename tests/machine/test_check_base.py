"""What `make check` says of a base model: a finding among the others, whatever the folder is."""

import json

import pytest

from kaiku.machine import hardware
from workflow_scripts import check_machine


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Calls the program for a base on a machine with a card; gives its status and its findings by topic."""
    card = type("Card", (), {"memory": 24 * 10**9})
    monkeypatch.setattr(hardware, "cards", lambda: ([card], ""))
    monkeypatch.setattr(hardware, "gpus", lambda *_: iter(()))

    def call(base):
        status = check_machine.main([f"--workspace={tmp_path}", f"--base={base}", "--offline", "--json"])
        return status, {found["topic"]: found for found in json.loads(capsys.readouterr().out)["findings"]}

    return call


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (None, "is not there"),
        ("[1]", "its config.json holds no JSON object"),
        ('{"model_type": "csm"}', "which is Sesame's CSM (expected: a dual-AR checkpoint"),
    ],
)
def test_a_base_that_is_none_is_a_problem_beside_all_else(tmp_path, check, config, what):
    base = tmp_path / "base"
    if config:
        base.mkdir()
        (base / "config.json").write_text(config)
    status, found = check(base)
    assert status == 1 and found["base"]["status"] == "problem"
    assert f"BASE={base}" in found["base"]["what"] and what in found["base"]["what"] and found["base"]["remedy"]
    assert "sizes" not in found and {"memory", "disk", "files"} <= set(found)


def test_paths_may_begin_at_home(tmp_path, check, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _, found = check("~/base")
    assert f"BASE={tmp_path / 'base'} is not there" in found["base"]["what"]
