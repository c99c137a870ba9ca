"""Which stages an edit concerns, and when a module is accepted; the whole way is in test_accept_code."""

import argparse
import importlib
from pathlib import Path

import pytest
import yaml

from kaiku import settings as configuration
from kaiku import stages
from kaiku.acceptance.differences import Difference
from kaiku.acceptance.examination import TRAINING_RULES, Comparison, Verdict, using

REPO = Path(__file__).parents[2]
ITEMS = ["measure_segments", "encode_tokens"]


@pytest.fixture(scope="module")
def toy():
    return configuration.load(yaml.safe_load((REPO / "config/config.yaml").read_text()))


def test_all_keys_of_a_configuration_are_known(toy):
    keys = stages.of(toy)
    asked_for = {*stages.ITEM_RULES, *TRAINING_RULES} - {"augment_segments", "measure_texts", "describe_clips"}
    assert asked_for <= keys.keys(), "the toy has no derived corpus, and no check of texts or of whole corpora"
    assert all((REPO / f"workflow_scripts/{rule}.py").exists() and of_rule for rule, of_rule in keys.items())
    modules = {module for of_rule in keys.values() for key in of_rule for module in key.modules}
    assert modules <= set(stages.computing_modules())


def test_every_program_whose_results_are_compared_says_what_it_takes(toy):
    for rule in stages.of(toy):
        program = importlib.import_module(f"workflow_scripts.{rule}")
        assert isinstance(program.parser(), argparse.ArgumentParser) and callable(program.program), rule


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("kaiku.audio.resample", ITEMS),
        ("kaiku.checks.hum", ["measure_segments"]),
        ("kaiku.codecs.env", ["train_codec", "synthesize_samples"]),
        ("kaiku.codecs.env.quantiser", ["encode_tokens"]),
        ("kaiku.drawing", ["train_codec"]),
        ("kaiku.families.fish", ["train_model", "merge_model", "synthesize_samples", "evaluate_model"]),
        ("kaiku.packing", ["pack_protos"]),
        ("kaiku.codecs.mimi", []),
    ],
)
def test_every_stage_that_uses_a_module_is_asked(toy, module, rules):
    assert list(using(toy, module)) == rules


EQUAL = Comparison("encode_tokens", compared=24)
UNTRIED = Comparison("train_model", untried="why")
DIFFERENT = Comparison("encode_tokens", 24, {"a": [Difference("a", "x", 2.0)], "b": [Difference("b", "y")]})


@pytest.mark.parametrize(
    ("comparisons", "objections", "accepted"),
    [
        ([EQUAL], [], True),
        ([EQUAL, EQUAL], [], True),
        ([EQUAL], ["never ran"], False),
        ([EQUAL, UNTRIED], [], False),
        ([EQUAL, DIFFERENT], [], False),
        ([Comparison("encode_tokens")], [], False),
        ([], [], False),
    ],
)
def test_nothing_is_accepted_silently(comparisons, objections, accepted):
    assert Verdict("m", comparisons, objections).accepted is accepted


def test_a_refusal_says_how_much_and_where():
    words = str(Verdict("m", [DIFFERENT, UNTRIED], ["never ran"]))
    assert words.splitlines() == [
        "m: NOT SHOWN TO BE EQUAL",
        "    encode_tokens: 2 of 24 differ, by up to 2",
        "      a: x",
        "      b: y",
        "    train_model: not compared, why",
        "    never ran",
    ]
    assert str(EQUAL) == "encode_tokens: 24 of 24 equal; a change of 11.7% of all would have shown in 19 cases of 20"
    assert str(Verdict("m", [], [])).endswith("nothing of this workspace's configuration uses it")
