"""Our dual-AR model beside recordings of fish-speech at d3df505: same weights, same inputs, fp32 on a CPU."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from kaiku.families import fish
from kaiku.families.fish.generate import columns_after
from kaiku.families.fish.model import IGNORED
from kaiku.store.protos import Sentence

UPSTREAM = Path(__file__).parents[1] / "fixtures" / "fish"


def recorded(name):
    arrays = np.load(UPSTREAM / name)
    whole = {key: torch.from_numpy(arrays[key]) for key in arrays if arrays[key].ndim}
    return {key: value.long() if value.dtype == torch.int32 else value for key, value in whole.items()} | {
        key: float(arrays[key]) for key in arrays if not arrays[key].ndim
    }


def base(**settings):
    family = fish.load(fish.Settings(**settings))
    return family, family.load_base(UPSTREAM / "model", torch.float32)


@pytest.fixture(scope="module")
def forward():
    return recorded("dualar_forward.npz")


def furthest(ours, theirs):
    assert ours.shape == theirs.shape
    return float((ours - theirs).detach().abs().max())


def all_token_logits(model, inputs):
    return model.token_logits(model.hidden(model.embed(inputs, scaled=False)))


def test_upstreams_config_gives_the_right_codebooks():
    family, model = base()
    assert family.codebook_sizes == (1088, 1024, 1024, 1024)
    assert (model.config.semantic_begin_id, model.config.semantic_end_id) == (285, 285 + 1088 - 1)
    assert model.dtype == torch.float32 and all(p.requires_grad for p in model.parameters())


def test_training_forward_and_both_losses(forward):
    family, model = base(upstream_compat=True)
    inputs, labels, real = forward["inputs"], forward["labels"], ~forward["attention_masks"]
    assert furthest(model.embed(inputs, scaled=False), forward["embed"]) == 0
    assert furthest(all_token_logits(model, inputs)[real], forward["token_logits"][real]) < 1e-5
    output = model(inputs=inputs, labels=labels)
    assert furthest(output.codes, forward["codebook_logits"]) < 1e-5
    assert furthest(output.token, forward["token_logits"][labels[:, 0] != IGNORED]) < 1e-5
    parts = family.loss(model, {"inputs": inputs, "labels": labels})
    means = {name: float(total.detach()) / count for name, (total, count) in parts.items()}
    assert means["token"] == pytest.approx(forward["base_loss"], abs=1e-5)
    assert means["codes"] == pytest.approx(forward["semantic_loss"], abs=1e-5)


def test_gradients_of_every_parameter(forward):
    family, model = base(upstream_compat=True)
    parts = family.loss(model, {"inputs": forward["inputs"], "labels": forward["labels"]})
    sum(total / count for total, count in parts.values()).backward()
    norms = {name: float(parameter.grad.norm()) for name, parameter in model.named_parameters()}
    assert norms == pytest.approx(json.loads((UPSTREAM / "dualar_grad_norms.json").read_text()), abs=1e-5)
    recorded_gradients = [key for key in forward if key.startswith("grad__")]
    assert len(recorded_gradients) == 5
    for key in recorded_gradients:
        parameter = model.get_parameter(key.removeprefix("grad__").replace("__", "."))
        assert furthest(parameter.grad, forward[key]) < 1e-6


def test_scaled_training_is_the_default_and_differs(forward):
    (_, consistent), (_, as_upstream) = base(), base(upstream_compat=True)
    codes = [m(inputs=forward["inputs"], labels=forward["labels"]).codes for m in (consistent, as_upstream)]
    assert furthest(*codes) > 1e-2
    frame = forward["inputs"][:1, :, 20:21]
    ratio = consistent.embed(frame, scaled=False) / consistent.embed(frame)
    assert torch.allclose(ratio, torch.full_like(ratio, 5**0.5))


@pytest.mark.parametrize("prompt, last", [("noref", 12), ("ref", 4)])
def test_prompts_and_their_logits(prompt, last):
    family, model = base(layout="interleave")
    expected = recorded("dualar_generate.npz")
    if prompt == "noref":
        columns = family.prompt("Hyvää päivää, the end.")
    else:
        codes = expected["ref__codes"].numpy().T.astype(np.uint16)
        columns = family.prompt("Toinen lause on pidempi.", reference=Sentence("", "Referenssi teksti", codes))
    assert torch.equal(columns, expected[f"{prompt}__prompt"])
    logits = model.token_logits(model.hidden(model.embed(columns[None])))[:, -last:]
    assert furthest(logits, expected[f"{prompt}__prefill_logits_last{last}"]) < 1e-5


@pytest.mark.parametrize("prompt", ["noref", "ref"])
def test_greedy_generation_gives_upstreams_codes(prompt):
    family, model = base()
    expected = recorded("dualar_generate.npz")
    columns = expected[f"{prompt}__prompt"]
    made = columns_after(
        model,
        columns,
        end=family.tokenizer.end,
        max_frames=24,
        temperature=0.7,
        top_p=1e-6,
        generator=torch.Generator(),
        constrained=False,
    )
    assert torch.equal(torch.stack(list(made), 1), expected[f"{prompt}__greedy_rep1.0"][:, columns.shape[1] :])


def test_sequences_are_upstreams_packed_ones():
    family, _ = base()
    packed = np.load(UPSTREAM / "packed_sequences.npz")
    groups = json.loads((UPSTREAM / "protos" / "decoded.json").read_text())
    meta = json.loads((UPSTREAM / "packed_meta.json").read_text())
    assert len(meta) == 5
    for row in meta:
        sentence = groups[row["group"]]["sentences"][row["sentence"]]
        codes = np.array(sentence["semantics"], np.uint16).T
        example = family.example(Sentence("SPK", sentence["texts"][0], codes))
        batch = family.collate([example])
        tokens, labels = (packed[f"g{row['group']}_s{row['sentence']}_{kind}"] for kind in ("tokens", "labels"))
        assert example.length == tokens.shape[1]
        assert np.array_equal(batch["inputs"][0], tokens)
        # Upstream writes 0 under the end token, where its loss never looks; we write -100.
        assert np.array_equal(batch["labels"][0, 0], labels[0])
        assert np.array_equal(batch["labels"][0, :, :-1], labels[:, :-1])


def test_padding_is_upstreams():
    family, _ = base()
    packed = np.load(UPSTREAM / "packed_sequences.npz")["collate_full_inputs"]
    short = family.example(Sentence("a", "x", np.zeros((1, 4), np.uint16)))
    long = family.example(Sentence("a", "x", np.zeros((9, 4), np.uint16)))
    batch = family.collate([short, long])
    assert batch["inputs"][0, 0, -1] == packed[1, 0, -1] == family.tokenizer.pad
    assert not batch["inputs"][0, 1:, short.length :].any() and not packed[1, 1:, -1].any()


def test_upstreams_adapters_fit_and_merge_to_upstreams_model(forward):
    """Eight of upstream's LoRA steps: its tensors under peft's names, its merged model's logits from our merge."""
    family, model = base(upstream_compat=True)
    adapters = load_file(UPSTREAM / "lora" / "adapters.safetensors")
    expected = recorded("lora/merged_forward.npz")
    adapted = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=family.lora_targets)).eval()
    own = {name: p for name, p in adapted.named_parameters() if "lora_" in name}
    assert len(own) == len(adapters)
    for name, parameter in own.items():
        stem, _, which = name.removeprefix("base_model.model.").partition(".lora_")
        letter = which.removeprefix("embedding_")[0]
        parameter.data.copy_(adapters[f"{stem}.lora_{letter}"])

    def differences(model):
        with torch.no_grad():
            tokens = all_token_logits(model, forward["inputs"])
            codes = model(inputs=forward["inputs"], labels=forward["labels"]).codes
            labels = forward["labels"][:, 0].flatten()
            loss = F.cross_entropy(tokens.flatten(0, 1), labels)
        assert float(loss) == pytest.approx(expected["base_loss"], abs=1e-5)
        return furthest(tokens[:, :8], expected["token_logits"]), furthest(codes[:8], expected["codebook_logits"])

    assert max(differences(adapted.get_base_model())) < 1e-4
    assert max(differences(family.merge(adapted))) < 1e-5
