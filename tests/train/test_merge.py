"""The chosen checkpoint, merged and proven."""

import json
import shutil

import pytest
import torch
from echo_family import SIZES, EchoFamily, make_sentences, make_spec
from safetensors.torch import load_file

from kaiku.errors import KaikuError
from kaiku.train.lora import load_adapter
from kaiku.train.merge import merge_run
from kaiku.train.run import train
from kaiku.train.settings import LoraSettings

SENTENCES = make_sentences(5, seed=2)


def merge(spec, out, which="best", **changes):
    arguments = {"family": spec.family, "base": spec.base, "sentences": SENTENCES, **changes}
    return merge_run(checkpoints=spec.out, which=which, out=out, metadata={"licence": "own"}, **arguments)


@pytest.fixture
def copied(reference, tmp_path):
    """Published checkpoints that a test may alter."""
    from dataclasses import replace

    shutil.copytree(reference.out, tmp_path / "copy")
    return replace(reference, out=tmp_path / "copy")


@pytest.mark.parametrize(("which", "step"), [("best", None), ("last", 12), (8, 8)])
def test_the_model_says_what_the_adapter_said(reference, tmp_path, which, step):
    written = merge(reference, tmp_path / "model", which)
    best = json.loads((reference.out / "best.json").read_text())
    step = step or best["step"]
    assert written == json.loads((tmp_path / "model" / "metadata.json").read_text())
    assert written["licence"] == "own" and written["checkpoint"]["step"] == step
    assert 0 < written["merge"]["max_logit_difference"] < 1e-4
    family = reference.family
    adapted = load_adapter(family.load_base(reference.base, torch.float32), reference.out / f"step_{step:06d}")
    merged = family.load_base(tmp_path / "model", torch.float32)
    batch = family.collate([family.example(s) for s in SENTENCES], None)
    for with_adapter, alone in zip(adapted.eval()(batch["inputs"]), merged.eval()(batch["inputs"])):
        torch.testing.assert_close(with_adapter, alone, rtol=0, atol=1e-4)


def test_the_merged_weights_are_the_last_thing_cast(reference, tmp_path):
    merge(reference, tmp_path / "wide")
    merge(reference, tmp_path / "narrow", dtype="bf16")
    wide, narrow = (load_file(tmp_path / name / "model.safetensors") for name in ("wide", "narrow"))
    assert all(torch.equal(narrow[name], wide[name].bfloat16()) for name in wide)


def test_a_training_of_all_weights_is_exported_as_it_is(tmp_path):
    spec = make_spec(tmp_path, None, lora=None)
    train(spec)
    written = merge(spec, tmp_path / "model", "last")
    assert written["merge"]["max_logit_difference"] is None
    found, expected = (load_file(f / "model.safetensors") for f in (tmp_path / "model", spec.out / "step_000012"))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_merge_that_differs_is_refused(reference, tmp_path):
    class Careless(EchoFamily):
        def merge(self, model):
            merged = super().merge(model)
            with torch.no_grad():
                merged.heads[1].bias[0] += 2e-4
            return merged

    with pytest.raises(KaikuError, match=r"differ by 2\.0\de-04"):
        merge(reference, tmp_path / "model", family=Careless())
    assert not (tmp_path / "model").exists()


def test_logits_that_are_no_numbers_are_refused(reference, tmp_path):
    class Broken(EchoFamily):
        def merge(self, model):
            merged = super().merge(model)
            with torch.no_grad():
                merged.heads[1].bias[0] = float("nan")
            return merged

    with pytest.raises(KaikuError, match="differ by nan"):
        merge(reference, tmp_path / "model", family=Broken())


def test_an_adapter_of_another_base_is_refused(reference, tmp_path):
    EchoFamily().new_base(None, SIZES, 4, tmp_path / "other")
    with pytest.raises(KaikuError, match="trained on another base model"):
        merge(reference, tmp_path / "model", base=tmp_path / "other")


def test_an_adapter_of_another_rank_is_refused(copied, tmp_path):
    other = make_spec(tmp_path, copied.base, "other", lora=LoraSettings(r=5))
    train(other)
    shutil.copy(other.out / "step_000012" / "adapter_model.safetensors", copied.out / "step_000012")
    with pytest.raises(KaikuError, match=r"is \[5, .* instead of \[2, .* and \d+ more"):
        merge(copied, tmp_path / "model", "last")


def test_an_adapter_with_other_targets_is_refused(copied, tmp_path):
    other = make_spec(tmp_path, copied.base, "other", lora=LoraSettings(r=2, targets="mix"))
    train(other)
    shutil.copy(other.out / "step_000012" / "adapter_model.safetensors", copied.out / "step_000012")
    with pytest.raises(KaikuError, match="is missing"):
        merge(copied, tmp_path / "model", "last")


def test_a_step_that_was_not_kept_is_refused(reference, tmp_path):
    with pytest.raises(KaikuError, match="holds the steps 8, 12"):
        merge(reference, tmp_path / "model", 4)
