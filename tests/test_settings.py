"""A configuration that means nothing is refused in a plain sentence; one that does survives every way of writing it."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from kaiku import plugins, stages
from kaiku.errors import KaikuError, SettingsError
from kaiku.settings import DEFAULT_CHECKS, Settings, load, plugin_settings
from kaiku.strict import key_params

ROOT = Path(__file__).parent.parent

SYSTEM = {
    "system": "test",
    "corpora": {"aino": {"layout": "wav_lab", "language": "fi", "speaker": "aino", "licence": "own"}},
    "datasets": {"aino-v1": {"corpora": ["aino"], "select": {"duration_s": [1, 20], "hum_db": {"max": 12}}}},
    "bases": {"s1-mini": {"licence": "CC-BY-NC-SA-4.0", "source": {"hub": "fishaudio/openaudio-s1-mini"}}},
    "codecs": {"openaudio": {"kind": "fish", "base": "s1-mini"}},
    "runs": {
        "first": {"family": "fish", "base": "s1-mini", "dataset": "aino-v1", "codec": "openaudio"},
        "second": {"family": "fish", "base": "first", "dataset": "aino-v1", "codec": "openaudio", "lora": {"r": 4}},
    },
}


@pytest.fixture(autouse=True)
def no_plugins_of_another_test():
    yield
    plugins.use_folders([])


def changed(path, value):
    """SYSTEM with the value at a dotted path set."""
    config = copy.deepcopy(SYSTEM)
    *parents, last = path.split(".")
    inner = config
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return config


def complaint(config):
    with pytest.raises(SettingsError) as caught:
        load(config)
    return str(caught.value)


def values(config, path=""):
    """Dotted paths of all settings of a configuration."""
    for name, value in config.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from values(value, f"{path}{name}.")


@pytest.mark.parametrize("odd", [None, 1, True, "x", [], ["x"], [1], [None], {}, {"x": 1}, {False: 1}, {"x": ["x"]}])
def test_a_value_of_any_kind_is_taken_or_refused_in_a_sentence(odd):
    everywhere = [*values(SYSTEM), "asr", "plugins", "checks", "exports", "price", "device", "corpora.b.derived.of"]
    for path in everywhere:
        try:
            load(changed(path, odd))
        except KaikuError as error:
            assert str(error), path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("corporas", "corporas is not a setting; did you mean 'corpora'?"),
        ("corpora.aino.langauge", "corpora.aino.langauge is not a setting; did you mean 'language'?"),
        ("corpora.aino.segment.max_ss", "corpora.aino.segment.max_ss is not a setting; did you mean 'max_s'?"),
        ("datasets.aino-v1.split.vall", "datasets.aino-v1.split.vall is not a setting; did you mean 'val'?"),
        (
            "datasets.aino-v1.select.hum_db.maxi",
            "datasets.aino-v1.select.hum_db.maxi is not a setting; did you mean 'max'?",
        ),
        ("bases.s1-mini.source.revison", "bases.s1-mini.source.revison is not a setting; did you mean 'revision'?"),
        ("runs.first.train.max_step", "runs.first.train.max_step is not a setting; did you mean 'max_steps'?"),
        ("runs.second.lora.alfa", "runs.second.lora.alfa is not a setting; did you mean 'alpha'?"),
        (
            "runs.first.options.input_nois",
            "runs.first.options.input_nois is not a setting; did you mean 'input_noise'?",
        ),
        ("runs.first.options.model.dimm", "runs.first.options.model.dimm is not a setting; did you mean 'dim'?"),
        ("codecs.openaudio.options.devise", "codecs.openaudio.options.devise is not a setting; did you mean 'device'?"),
        ("checks.hum.guard", "checks.hum.guard is not a setting; did you mean 'guard_ms'?"),
    ],
)
def test_a_misspelt_key_is_named_with_what_was_meant(path, said):
    assert complaint(changed(path, 1)) == f"Configuration: {said}"


def test_a_key_unlike_any_other_comes_with_those_there_are():
    said = complaint(changed("runs.second.lora.zzz", 1))
    assert said == "Configuration: runs.second.lora.zzz is not a setting (known there: r, alpha, dropout, targets)."


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("runs.first.train.max_steps", "many", "is 'many', which is not a whole number."),
        ("runs.first.train.max_steps", 2.5, "is 2.5, which is not a whole number."),
        ("runs.first.train.learning_rate", "fast", "is 'fast', which is not a number."),
        ("runs.first.train.learning_rate", 0, "is 0; it must be greater than 0."),
        ("runs.first.train.learning_rate", float("inf"), "is inf; it must be a finite number."),
        ("runs.first.train.betas", [0.9, 1.0], ".1 is 1.0; it must be less than 1."),
        (
            "runs.first.options.model",
            {"dim": 100},
            ": dim=100 over n_head=4 gives a head no even width.",
        ),
        ("runs.first.options.model", {"n_local_heads": 3}, ": n_head=4 is no multiple of n_local_heads=3."),
        ("runs.first.options.model", {"fast_dim": 36}, ": fast_dim=36 over fast_n_head=4 gives a head no even"),
        ("runs.first.train.precision", "bf-16", "is 'bf-16', which is not one of 'fp32', 'bf16'; did you mean 'bf16'?"),
        ("runs.first.merge.checkpoint", "bst", "is 'bst', which is neither one of 'best', 'last' nor a whole number."),
        ("runs.first.train", None, "is empty, which is not a block of settings; write settings under it, {} for the"),
        ("datasets.aino-v1.split.val", "some", "is 'some', which is neither a number nor a list."),
        ("datasets.aino-v1.corpora", "aino", "is 'aino', which is not a list; write [aino]."),
        ("datasets.aino-v1.corpora", [], "is empty; it needs at least 1."),
        ("datasets.aino-v1.select.duration_s", [1], ": [1]: a range is [min, max], null where it is open."),
        ("corpora.aino.language", False, "is False, which is not text; put it in quotes (YAML reads a bare no,"),
        ("corpora", ["aino"], "is ['aino'], which is not a block of named settings."),
        ("asr", ["heard"], "is ['heard'], which is not a block of named settings."),
        ("asr", "whisper", "is 'whisper', which is not a block of named settings."),
        ("corpora.aino.derived", {"of": ["otso"]}, ".of is ['otso'], which is not text."),
        ("plugins", [None], ".0 is empty, which is not text."),
        ("plugins", [1], ".0 is 1, which is not text; put it in quotes"),
        ("datasets.aino-v1.corpora", [1], ".0 is 1, which is not text; put it in quotes"),
        ("corpora", {False: {"licence": "own"}}, ".False is False, which is not text; put it in quotes"),
        ("corpora.aino.options", {"colum": 1}, ".colum is not a setting (known there: none)."),
        ("corpora.aino.language", "Finnish", "is 'Finnish'; a language is a BCP 47 tag: fi, te, pt-BR."),
        ("corpora.aino.language", "", "is ''; a language is a BCP 47 tag: fi, te, pt-BR."),
        (
            "datasets.aino-v1.select",
            {"hum_db": {"languages": {"Finnish": [0, 1]}}},
            ".hum_db.languages is 'Finnish'; a language is a BCP 47 tag: fi, te, pt-BR.",
        ),
        ("corpora.aino.max_failed", True, ": True, where a number belongs (YAML reads a bare yes, no, on, off as"),
        ("threads", True, ": True, where a number belongs"),
        ("runs.first.train.max_steps", True, ": True, where a number belongs"),
        ("runs.first.merge.checkpoint", True, ": True, where a number belongs"),
        ("datasets.aino-v1.select", {"hum_db": {"max": True}}, ".hum_db.max: True, where a number belongs"),
        ("datasets.aino-v1.select", {"hum_db": [True, 2]}, ".hum_db.min: True, where a number belongs"),
        ("datasets.aino-v1.mix", {"aino": True}, ": {'aino': True}, where a number belongs"),
        ("system", "My Voice", "is 'My Voice'; a name is of lower-case letters, digits and hyphens"),
        ("plugins", "mine", "is 'mine', which is not a list; write [mine]."),
        ("bases.s1-mini.source", {"hub": "s1-mini"}, ".hub: 's1-mini' is no repository: write owner/name."),
        ("bases.s1-mini.source", {"url": "/data/x.tar"}, ".url: '/data/x.tar' is no web address"),
        ("bases.s1-mini.source", {"url": "https://x.org/x", "sha256": "abc"}, ".sha256: 'abc' is no SHA-256"),
        ("bases.s1-mini.source", {}, ": give either url or hub."),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_a_plain_sentence(path, value, said):
    assert complaint(changed(path, value)).startswith(f"Configuration: {path}{'' if said[0] in '.:' else ' '}{said}")


def test_several_faults_are_told_together():
    config = changed("corpora.aino.lisence", "own")
    del config["corpora"]["aino"]["licence"]
    assert complaint(config).splitlines() == [
        "Configuration: 2 settings mean nothing.",
        "  corpora.aino.licence is missing",
        "  corpora.aino.lisence is not a setting; did you mean 'licence'?",
    ]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("datasets.aino-v1.corpora", ["ainoo"], "'ainoo' is not among the corpora (aino); did you mean 'aino'?"),
        ("datasets.aino-v1.asr", "givn", "'givn' is not among the asr (given); did you mean 'given'?"),
        ("codecs.openaudio.base", "s1-min", "'s1-min' is not among the bases (s1-mini); did you mean 's1-mini'?"),
        ("runs.first.codec", "openadio", "'openadio' is not among the codecs (openaudio); did you mean 'openaudio'?"),
        ("runs.first.dataset", "aino-v2", "'aino-v2' is not among the datasets (aino-v1); did you mean 'aino-v1'?"),
        (
            "runs.second.base",
            "frst",
            "'frst' is not among the bases or runs (first, s1-mini, second); did you mean 'first'?",
        ),
        ("asr", {"w": {"kind": "whisper", "model": "big"}}, "'big' is not among the bases (s1-mini)."),
        ("corpora.aino.layout", "wavlab", "'wavlab' is not among the layouts; did you mean 'wav_lab'?"),
        ("codecs.openaudio.kind", "fsh", "'fsh' is not among the codecs; did you mean 'fish'?"),
        ("runs.first.family", "fisch", "'fisch' is not among the families; did you mean 'fish'?"),
        ("checks.humm", {}, "'humm' is not among the checks; did you mean 'hum'?"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_with_the_nearest(path, value, said):
    where = "asr.w.model" if path == "asr" else path
    assert f"{where}: {said}" in complaint(changed(path, value))


@pytest.mark.parametrize("kind", ["whisper", "transformers_whisper"])
def test_a_transcriber_without_its_model_is_refused(kind):
    told = complaint(changed("asr", {"w": {"kind": kind}}))
    assert f"asr.w.model is missing. Expected: a base model, which {kind} loads" in told
    assert "Describe it under `bases:`." in told


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"ainoo": 2}, "mix: 'ainoo' is not among the corpora of the dataset (aino); did you mean 'aino'?"),
        ({"otso": 2}, "mix: 'otso' is not among the corpora of the dataset (aino)."),
        ({"aino": 0}, "mix.aino is 0; it must be greater than 0"),
        ({"aino": -1}, "mix.aino is -1; it must be greater than 0"),
        ({"aino": float("inf")}, "mix.aino is inf; it must be a finite number"),
        ({"aino": float("nan")}, "mix.aino is nan; it must be a finite number"),
    ],
)
def test_a_mix_that_means_nothing_is_refused(mix, said):
    config = changed("datasets.aino-v1.mix", mix)
    config["corpora"]["otso"] = config["corpora"]["aino"]
    assert f"datasets.aino-v1.{said}" in complaint(config)


def test_a_mix_that_no_training_hears_is_refused():
    config = changed("datasets.other", {"corpora": ["aino"], "mix": {"aino": 2}})
    assert "datasets.other.mix: it weighs what a training hears, and no run trains on other" in complaint(config)


def test_a_mix_is_in_the_key_of_a_training_alone_and_only_where_it_weighs():
    def keys(mix):
        return {rule: [key.text() for key in found] for rule, found in stages.of(load(mix)).items()}

    plain, once, twice = (keys(changed("datasets.aino-v1.mix", mix)) for mix in ({}, {"aino": 1}, {"aino": 2}))
    assert plain == once == keys(SYSTEM) and "mix" not in "".join(plain["train_model"])
    assert {rule for rule in plain if plain[rule] != twice[rule]} == {"train_model"}


def test_runs_in_a_circle_are_refused():
    assert complaint(changed("runs.first.base", "second")) == (
        "Configuration: runs.first.base: first -> second -> first goes in a circle."
    )
    assert load(SYSTEM).lineage("second") == ["second", "first"]


def test_one_name_for_a_run_and_a_base_is_refused():
    assert "runs.s1-mini: a base model has this name too" in complaint(changed("runs.s1-mini", SYSTEM["runs"]["first"]))


def test_a_bound_on_what_no_check_measures_is_refused():
    assert "datasets.aino-v1.select.hum_bd: no check measures it; did you mean 'hum_db'?" in complaint(
        changed("datasets.aino-v1.select.hum_bd", {"max": 1})
    )
    assert "Or add `hum: {}` to `checks:` (duration)." in complaint(changed("checks", {"duration": {}}))


def test_a_gate_on_what_no_check_measures_is_refused():
    config = changed("datasets.aino-v1.gates.prosodic_spread_st", 1.5)
    said = complaint(config)
    assert "datasets.aino-v1.gates.prosodic_spread_st (pitch_spread_st): no check measures it" in said
    assert "Or add `pitch: {}` to `checks:`" in said
    assert load(config | {"checks": {"hum": {}, "pitch": {}}}).datasets["aino-v1"].gates.prosodic_spread_st == 1.5


def test_a_codec_that_cannot_be_fitted_and_a_base_of_two_origins_are_refused():
    assert "codecs.openaudio: kind fish cannot be fitted" in complaint(
        changed("codecs.openaudio", {"kind": "fish", "dataset": "aino-v1"})
    )
    assert "bases.s1-mini: give either path" in complaint(changed("bases.s1-mini.path", "/models/s1-mini"))


def test_given_tokens_need_their_codec_and_whole_recordings():
    own = {"codec": "openaudio"}
    assert load(changed("corpora.aino.tokens", own)).corpora["aino"].tokens.suffix == ".npy"
    assert "corpora.aino.tokens.codec: 'openadio' is not among the codecs" in complaint(
        changed("corpora.aino.tokens", {"codec": "openadio"})
    )
    cut = {**SYSTEM["corpora"]["aino"], "tokens": own}
    for kind in ({"layout": "recordings"}, {"segment": {"mode": "vad"}}):
        said = complaint(changed("corpora.aino", cut | kind))
        assert "corpora.aino.tokens: its recordings are cut into clips" in said
    load(changed("corpora.aino", {**cut, "layout": "recordings", "segment": {"mode": "identity"}}))
    assert stages.encode_shard(load(SYSTEM), "openaudio", "aino") == stages.encode(load(SYSTEM), "openaudio")


def test_what_the_corpus_says_is_not_said_in_its_options():
    assert "Write it as corpora.aino.speaker." in complaint(changed("corpora.aino.options", {"speaker": "otso"}))


def test_numbers_in_exponent_form_are_numbers():
    config = yaml.safe_load(yaml.safe_dump(SYSTEM))
    config["runs"]["first"]["train"] = yaml.safe_load("{learning_rate: 3e-3, weight_decay: 1e-4}")
    assert isinstance(config["runs"]["first"]["train"]["learning_rate"], str)  # what YAML 1.1 makes of it
    train = load(config).runs["first"].train
    assert (train.learning_rate, train.weight_decay) == (3e-3, 1e-4)


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.stem)
def test_settings_survive_json(path):
    config = yaml.safe_load(path.read_text())
    if "system" not in config:
        pytest.skip("not a system of its own")
    settings = load(config)
    assert load(json.loads(json.dumps(settings.model_dump(mode="json")))) == settings


def test_nothing_of_the_toy_is_in_another_system():
    empty = load({"system": "empty"})
    assert [empty.corpora, empty.datasets, empty.codecs, empty.bases, empty.runs] == [{}] * 5
    assert list(empty.asr) == ["given"]
    assert tuple(empty.checks) == DEFAULT_CHECKS


SPEED = [("train", "device", "cuda"), ("train", "workers", 4), ("train", "gradient_checkpointing", True)]


def test_what_changes_only_speed_stays_out_of_the_keys():
    before = load(SYSTEM)
    config = changed("threads", 8) | {"device": "cpu"}
    config["runs"]["first"]["train"] = {name: value for _, name, value in SPEED}
    config["codecs"]["openaudio"]["options"] = {"device": "cpu"}
    after = load(config)
    assert after != before
    assert key_params(after) != {}
    for name in ("threads", "device"):
        assert name not in key_params(after)
    for section, name, _ in SPEED:
        assert name not in key_params(after.runs["first"])[section]
    assert stages.train(after, "first").text() == stages.train(before, "first").text()
    assert stages.encode(after, "openaudio").text() == stages.encode(before, "openaudio").text()
    slower = load(changed("runs.first.train", {"learning_rate": 1e-5}))
    assert stages.train(slower, "first").text() != stages.train(before, "first").text()


CHECK = '''"""A check of one's own."""
from kaiku.strict import Strict
LIBRARIES: tuple[str, ...] = ()
FIELDS = {"%(field)s": "s."}
class Settings(Strict):
    """Settings."""
    factor: float = 1.0
def measure(clip, settings):
    return {"%(field)s": settings.factor}
'''


def plugin(folder, name, field):
    path = folder / "checks" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CHECK % {"field": field})
    return str(folder)


def test_a_plugin_of_ones_own_is_used(tmp_path):
    config = SYSTEM | {"plugins": [plugin(tmp_path, "mine", "mine_s")], "checks": {"mine": {"factor": 2}, "hum": {}}}
    config["datasets"] = {"aino-v1": {"corpora": ["aino"], "select": {"mine_s": {"min": 1}}}}
    settings = load(config)
    module = plugins.find("checks", "mine")
    assert module.__file__ == str(tmp_path / "checks/mine.py")
    options = plugin_settings("checks", "mine", settings.checks["mine"], "checks.mine")
    assert module.measure(None, options) == {"mine_s": 2.0}
    assert "checks.mine.facto is not a setting; did you mean 'factor'?" in complaint(
        config | {"checks": {"mine": {"facto": 2}}}
    )


def test_a_plugin_of_ones_own_wins_over_the_trees(tmp_path):
    load(SYSTEM | {"plugins": [plugin(tmp_path, "hum", "hum_db")]})
    assert plugins.find("checks", "hum").__file__ == str(tmp_path / "checks/hum.py")
    load(SYSTEM)
    assert plugins.module_name("checks", "hum") == "kaiku.checks.hum"


def test_of_two_folders_each_system_sees_its_own(tmp_path):
    for name in ("one", "two"):
        load({"system": "x", "checks": {"mine": {}}, "plugins": [plugin(tmp_path / name, "mine", name)]})
        assert list(plugins.find("checks", "mine").FIELDS) == [name]


def test_a_folder_or_plugin_that_is_not_right_is_named(tmp_path):
    assert "plugins: nowhere is not a folder." in complaint(SYSTEM | {"plugins": ["nowhere"]})
    plugin(tmp_path, "broken", "x_s")
    (tmp_path / "checks/broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "checks/bare.py").write_text("FIELDS = {}")
    config = {"system": "x", "plugins": [str(tmp_path)]}
    assert "checks.broken: plug-in 'broken' cannot be imported: ModuleNotFoundError" in complaint(
        config | {"checks": {"broken": {}}}
    )
    assert "has no Settings. Add it; docs/extending.md" in complaint(config | {"checks": {"bare": {}}})


def test_settings_cannot_be_changed_after_they_were_read():
    with pytest.raises(ValueError, match="frozen"):
        load(SYSTEM).system = "other"
    assert Settings.model_config["extra"] == "forbid"
