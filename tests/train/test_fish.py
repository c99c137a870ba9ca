"""A real family: the fish language model, trained, killed, resumed and merged."""

import signal

import pytest
import torch
from fish_training import make_fish_spec, train_and_die

from kaiku.families import fish
from kaiku.train.merge import merge_run
from kaiku.train.run import train
from kaiku.train.settings import LoraSettings


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return fish.tiny(tmp_path_factory.mktemp("fish"))


def weights(spec):
    return {p.relative_to(spec.out): p.read_bytes() for p in spec.out.rglob("*.safetensors")}


@pytest.mark.parametrize("kind", ["adapter", "all weights"])
def test_killed_and_resumed_equals_undisturbed(tmp_path, base, exit_code_of, kind):
    base, lora = (base, LoraSettings(r=2, dropout=0.1)) if kind == "adapter" else (None, None)
    whole = make_fish_spec(tmp_path, base, "whole", lora=lora)
    train(whole)
    assert exit_code_of(train_and_die, tmp_path, base, lora, 15) == -signal.SIGKILL
    spec = make_fish_spec(tmp_path, base, lora=lora)
    assert train(spec).resumed_from in (2, 4)
    assert (spec.out / "curve.jsonl").read_bytes() == (whole.out / "curve.jsonl").read_bytes()
    assert weights(spec) == weights(whole) != {}


def test_recomputed_activations_change_no_byte(tmp_path, base):
    plain, saving = (
        make_fish_spec(tmp_path, base, "plain"),
        make_fish_spec(tmp_path, base, "saving", settings={"gradient_checkpointing": True}),
    )
    train(plain)
    train(saving)
    assert weights(saving) == weights(plain)


def test_the_merged_model_is_the_adapted_one(tmp_path, base):
    spec = make_fish_spec(tmp_path, base)
    train(spec)
    before = {p.name: p.read_bytes() for p in base.iterdir()}
    written = merge_run(spec.family, base, spec.out, "best", tmp_path / "model", spec.val, {})
    assert 0 < written["merge"]["max_logit_difference"] < 1e-4
    assert {p.name: p.read_bytes() for p in base.iterdir()} == before
    merged = spec.family.load_base(tmp_path / "model", torch.float32)
    changed = [
        n
        for n, t in spec.family.load_base(base, torch.float32).state_dict().items()
        if not t.equal(merged.state_dict()[n])
    ]
    assert "output.weight" in changed and "norm.weight" not in changed
