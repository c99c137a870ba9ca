"""Settings that mean nothing are refused, and what changes only speed stays out of the key."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from kaiku.strict import key_params
from kaiku.train.settings import LoraSettings, MergeSettings, TrainSettings


def test_speed_stays_out_of_the_key():
    fast = TrainSettings(workers=4, device="cpu", gradient_checkpointing=True, resume="adopt")
    assert key_params(fast) == key_params(TrainSettings())
    assert key_params(TrainSettings(seed=1)) != key_params(TrainSettings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"save_every": 250, "eval_every": 100}, "no multiple of eval_every"),
        ({"warmup_steps": 11, "max_steps": 10}, "more than max_steps"),
        ({"learning_rate": 0}, "greater than 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        TrainSettings(**settings)


def test_targets_must_be_a_regex():
    with pytest.raises(ValidationError, match="no regular expression"):
        LoraSettings(targets="(")


def test_a_checkpoint_is_named_or_numbered():
    assert [MergeSettings(checkpoint=c).checkpoint for c in ("best", "last", 1200)] == ["best", "last", 1200]
    with pytest.raises(ValidationError):
        MergeSettings(checkpoint="newest")


def test_settings_import_no_heavy_library():
    code = "import sys, kaiku.train.settings; print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
