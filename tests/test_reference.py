"""The generated schema and reference page say what the settings classes say, and accept what Kaiku accepts."""

import copy
import json
import shutil

import jsonschema
import pytest
import yaml

from kaiku import reference
from kaiku import settings as configuration
from kaiku.reference import ROOT

CONFIGURATIONS = sorted(ROOT.glob("config/*.yaml"))
SYSTEMS = [path for path in CONFIGURATIONS if "system" in yaml.safe_load(path.read_text())]


@pytest.fixture(scope="module")
def validator():
    schema = reference.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(validator, config):
    """Paths in a configuration that the schema refuses."""
    return [".".join(map(str, error.absolute_path)) for error in validator.iter_errors(config)]


def toy():
    return yaml.safe_load((ROOT / "config/config.yaml").read_text())


def test_the_generated_files_are_up_to_date():
    stale = [str(path) for path in reference.drift()]
    assert stale == [], f"out of date: {stale}; run `python -m kaiku.reference`"


def test_check_names_what_differs_and_writing_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / reference.PAGE).write_text("something else")
    capsys.readouterr()
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/configuration.md is out of date: run `python -m kaiku.reference`\n"


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_the_schema_accepts_every_shipped_system(validator, path):
    assert faults(validator, yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("section", "key", "at"),
    [
        ([], "corpuses", ""),
        (["corpora", "otso"], "lisence", "corpora.otso"),
        (["corpora", "otso", "segment"], "max_seconds", "corpora.otso.segment"),
        (["corpora", "otso", "options"], "colum", "corpora.otso.options"),
        (["codecs", "toy", "options"], "hopp", "codecs.toy.options"),
        (["runs", "toy", "train"], "max_step", "runs.toy.train"),
        (["runs", "toy", "options"], "input_nois", "runs.toy.options"),
        (["runs", "toy", "options", "model"], "dimm", "runs.toy.options.model"),
        (["checks", "hum"], "guard", "checks.hum"),
        (["datasets", "faults", "select", "hum_db"], "maximum", "datasets.faults.select.hum_db"),
    ],
)
def test_the_schema_refuses_an_unknown_key(validator, section, key, at):
    config = toy()
    inner = config
    for part in section:
        inner = inner.setdefault(part, {})
    assert faults(validator, config) == []
    inner[key] = {}
    assert faults(validator, config) == [at]
    with pytest.raises(configuration.SettingsError, match=key):
        configuration.load(copy.deepcopy(config))


def test_the_schema_takes_numbers_as_yaml_reads_them(validator):
    config = toy()
    for value, accepted in (("3e-3", True), (0.003, True), ("fast", False), (-1, False)):
        config["runs"]["toy"]["train"]["learning_rate"] = value
        assert (faults(validator, config) == []) is accepted, value


def test_the_schema_leaves_a_plugin_of_ones_own_free(validator):
    config = toy()
    config["corpora"]["otso"] |= {"layout": "mine", "options": {"anything": 1}}
    config["checks"] = {"mine": {"anything": 1}}
    assert faults(validator, config) == []


def test_every_setting_of_the_tree_and_every_measure_stands_on_the_page():
    page = reference.page()
    for definition in json.loads((ROOT / reference.SCHEMA).read_text())["$defs"].values():
        for name in definition.get("properties", {}):
            assert f"| `{name}` |" in page
    for kind, name, module in reference.own_plugins():
        assert f"### {kind}: `{name}`" in page
        for measure in getattr(module, "FIELDS", {}):
            assert f"| `{measure}` |" in page


def test_the_example_on_the_page_is_a_configuration(tmp_path):
    settings = configuration.load(yaml.safe_load(reference.EXAMPLE))
    assert settings.runs["aino-lora"].train.learning_rate == 1e-4
