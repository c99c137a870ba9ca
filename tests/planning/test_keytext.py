"""What changed between two keys, in words."""

import json
import re
from pathlib import Path

import pytest
import yaml

from kaiku import settings as configuration
from kaiku.planning.keytext import STAGES, PresentKeys, differences, parts

REPO = Path(__file__).parents[2]
CLIPPING = {
    "code": {"kaiku.checks.clipping": "v1", "kaiku.audio.decode": "v1"},
    "format": 1,
    "libraries": {"soxr": "1.1.0"},
    "params": {"check": "clipping", "near_peak": 0.995},
    "stage": "measure",
    "weights": {},
}
SELECT = {
    **CLIPPING,
    "stage": "select",
    "params": {"select": {"hum_db": {"max": 12.0, "min": None, "required": False}}, "split": {"val": ["a-*"]}},
}


def changed(value, path, new):
    """A copy with another value at a dotted path; None takes it away."""
    copied = json.loads(json.dumps(value))
    *above, last = path.split("/")
    inner = copied
    for name in above:
        inner = inner[name]
    if new is None:
        del inner[last]
    else:
        inner[last] = new
    return copied


@pytest.mark.parametrize(
    ("value", "path", "new", "words"),
    [
        (SELECT, "params/select/hum_db/max", 10.0, "dataset otso: select.hum_db.max 12 -> 10"),
        (SELECT, "params/select/hum_db", None, "dataset otso: select.hum_db removed (was {max: 12})"),
        (SELECT, "params/select/rms_db", {"min": -40}, "dataset otso: select.rms_db added: {min: -40}"),
        (SELECT, "params/split/val", ["b-*"], "dataset otso: split.val [a-*] -> [b-*]"),
        (CLIPPING, "params/near_peak", 0.99, "check clipping: near_peak 0.995 -> 0.99"),
        (CLIPPING, "code/kaiku.checks.clipping", "v1+ab12cd345678", "check clipping: code changed (v1 -> v1+ab12cd)"),
        (CLIPPING, "code/kaiku.audio.decode", "v2", "code of kaiku.audio.decode changed (v1 -> v2)"),
        (CLIPPING, "code/kaiku.audio.flac", "v1", "code of kaiku.audio.flac counts now"),
        (CLIPPING, "code/kaiku.audio.decode", None, "code of kaiku.audio.decode counts no more"),
        (CLIPPING, "code/kaiku.checks.clipping", None, "check clipping: kaiku.checks.clipping counts no more"),
        (CLIPPING, "libraries/soxr", "1.2.0", "library soxr 1.1.0 -> 1.2.0"),
        (CLIPPING, "libraries/numpy", "2.4", "library numpy 2.4 counts now"),
        (CLIPPING, "libraries/soxr", None, "library soxr counts no more"),
        (CLIPPING, "weights/model", "abc", "check clipping: weights changed"),
        (CLIPPING, "format", 2, "keys are made differently (format 1 -> 2)"),
    ],
)
def test_each_change_in_words(value, path, new, words):
    before, now = json.dumps(value), json.dumps(changed(value, path, new))
    assert differences(before, now, {"dataset": "otso", "corpus": "otso"}) == [words]
    assert differences(before, before, {}) == []


def test_code_is_its_subjects_own_or_named():
    run = {
        **CLIPPING,
        "stage": "synthesize",
        "params": {},
        "code": {"kaiku.families.fish": "v1", "kaiku.codecs.env": "v1"},
    }
    now = {**run, "code": {"kaiku.families.fish": "v2", "kaiku.codecs.env": "v2"}}
    assert differences(json.dumps(run), json.dumps(now), {"run": "a"}) == [
        "code of kaiku.codecs.env changed (v1 -> v2)",
        "run a: code changed (v1 -> v2)",
    ]


def test_checks_that_came_and_went():
    hum = json.dumps(changed(CLIPPING, "params/check", "hum"))
    both = f"{json.dumps(CLIPPING)}\n{hum}"
    assert differences(json.dumps(CLIPPING), both, {}) == ["check hum: added"]
    assert differences(both, hum, {}) == ["check clipping: removed"]


def test_what_a_rule_adds_behind_its_key():
    text = json.dumps(SELECT)
    assert differences(f"{text} recordings=6", f"{text} recordings=5", {"dataset": "a"}) == [
        "dataset a: recordings 6 -> 5"
    ]


def test_a_text_of_another_kind_is_not_guessed_at():
    assert differences("key of old", json.dumps(CLIPPING), {}) == ["keys are written in another form"]


def test_what_a_key_consists_of():
    assert parts(json.dumps(CLIPPING), {}) == [
        "code kaiku.audio.decode v1",
        "code kaiku.checks.clipping v1",
        "library soxr 1.1.0",
        "settings of check clipping",
    ]


def test_the_keys_are_those_that_the_rules_declare():
    text = "".join(path.read_text() for path in sorted((REPO / "rules").glob("*.smk")))
    declared = {}
    for rule, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.M | re.S):
        if found := re.search(r"key=lambda w: (.*)", body):
            stage = re.search(r"key\(['\"](\w+)|(\w*measures)_key", found[1])
            names = re.findall(r"w\.(\w+)", found[1].partition(" recordings=")[0])  # what it is told of stands behind
            declared[rule] = stage[1] or stage[2], tuple(names)
    assert declared == STAGES


@pytest.mark.parametrize("path", sorted((REPO / "config").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_job_has_the_keys_that_its_rule_declared(path):
    """A job reads the resolved configuration, the rule the user's: the texts must not differ by a `1` and a `1.0`."""
    config = yaml.safe_load(path.read_text())
    if "system" not in config:
        pytest.skip("not a system")
    settings = configuration.load(config)
    resolved = configuration.load(json.loads(json.dumps(settings.model_dump(mode="json"))))
    keys = [PresentKeys(s, recordings=lambda corpus: 9) for s in (settings, resolved)]
    called = [("measure_segments", {})]
    called += [("segment_recordings", {"corpus": name}) for name in settings.corpora]
    called += [("transcribe_segments", {"asr": name}) for name in settings.asr]
    called += [
        ("select_segments", {"dataset": name, "corpus": own.corpora[0]}) for name, own in settings.datasets.items()
    ]
    called += [
        ("encode_tokens", {"codec": name, "corpus": corpus}) for name in settings.codecs for corpus in settings.corpora
    ]
    called += [(rule, {"run": name}) for name in settings.runs for rule in ("train_model", "merge_model")]
    for rule, names in called:
        assert keys[0].of(rule, names) == keys[1].of(rule, names), (rule, names)
