"""What every family promises, proved over all of them: a module in kaiku.families with a `tiny` is tested at once."""

import dataclasses
import importlib
import pkgutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

import kaiku.families
from kaiku.families import Limits
from kaiku.store import digest
from kaiku.store.protos import Sentence

MODULES = [
    importlib.import_module(f"kaiku.families.{found.name}") for found in pkgutil.iter_modules(kaiku.families.__path__)
]
FAMILIES = [module for module in MODULES if hasattr(module, "tiny")]
LIMITS = Limits(max_frames=12, chunk_frames=5)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda module: module.__name__.rpartition(".")[2])
def case(request, tmp_path_factory):
    """A family, its tiny base, and three examples of different lengths."""
    module = request.param
    path = module.tiny(tmp_path_factory.mktemp("base") / "tiny")
    family = module.load(module.Settings())
    before = digest.of_tree(path)
    model = family.load_base(path, torch.float32)
    rng = np.random.default_rng(0)
    sizes = family.codebook_sizes
    texts = ["hei", "hyvää päivää, maailma", "kaiku vastaa metsästä"]
    sentences = [
        Sentence("aino", text, rng.integers(0, sizes, (frames, len(sizes))).astype(np.uint16))
        for text, frames in zip(texts, (4, 30, 11))
    ]
    examples = [family.example(sentence) for sentence in sentences]
    assert digest.of_tree(path) == before, "load_base wrote into the base"
    return SimpleNamespace(module=module, family=family, path=path, model=model, examples=examples)


def base_of(case):
    return case.family.load_base(case.path, torch.float32)


def with_adapter(case, seed=0, *, trained=True):
    """A fresh base with an adapter; trained: with weights that change the output."""
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=case.family.lora_targets)
    model = get_peft_model(base_of(case), config).eval()
    if trained:
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    return model


def logits(model, batch):
    """Every floating-point tensor of the model's output."""
    with torch.no_grad():
        output = model(**batch)
    values = output.values() if isinstance(output, dict) else vars(output).values()
    found = [value for value in values if torch.is_tensor(value) and value.is_floating_point()]
    assert found and all(torch.isfinite(value).all() for value in found)
    return found


def furthest(ours, theirs):
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def mean_loss(parts, counts=None):
    return sum(total / (counts or {k: n for k, (_, n) in parts.items()})[name] for name, (total, _) in parts.items())


def test_a_family_was_found():
    assert "kaiku.families.fish" in {module.__name__ for module in FAMILIES}


def test_examples_know_their_length(case):
    batch = case.family.collate(case.examples)
    assert len({example.length for example in case.examples}) == 3
    assert {tensor.device.type for tensor in batch.values()} == {"cpu"}
    assert {tensor.shape[0] for tensor in batch.values()} == {3}
    assert max(example.length for example in case.examples) in {tensor.shape[-1] for tensor in batch.values()}


def test_loss_parts_are_a_sum_and_a_count(case):
    batch = case.family.collate(case.examples)
    parts = case.family.loss(case.model, batch)
    for total, count in parts.values():
        assert total.ndim == 0 and total.requires_grad and torch.isfinite(total)
        assert isinstance(count, int) and count > 0
    assert case.family.counts(batch) == {name: count for name, (_, count) in parts.items()}


def test_a_clip_alone_gives_what_it_gives_in_a_batch(case):
    batch = case.family.collate(case.examples)
    alone = [case.family.collate([example]) for example in case.examples]
    for measure in (case.family.loss, case.family.levels):
        with torch.no_grad():
            together = measure(case.model, batch)
            apart = [measure(case.model, one) for one in alone]
        for name, (total, count) in together.items():
            assert count == sum(parts[name][1] for parts in apart)
            assert float(total) == pytest.approx(sum(float(parts[name][0]) for parts in apart), rel=1e-5)


def test_accumulated_gradients_are_those_of_the_whole_batch(case):
    def gradients(batches):
        model = base_of(case)
        with torch.no_grad():
            parts = [case.family.loss(model, batch) for batch in batches]
        counts = {name: sum(part[name][1] for part in parts) for name in parts[0]}
        for batch in batches:
            mean_loss(case.family.loss(model, batch), counts).backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    whole = gradients([case.family.collate(case.examples)])
    apart = gradients([case.family.collate(case.examples[:1]), case.family.collate(case.examples[1:])])
    assert furthest(whole, apart) < 1e-5


def test_a_new_adapter_changes_nothing(case):
    batch = case.family.collate(case.examples)
    assert furthest(logits(with_adapter(case, trained=False), batch), logits(case.model, batch)) == 0


def test_training_an_adapter_leaves_the_base_as_it_was(case):
    model = with_adapter(case, trained=False)
    base = {
        name.replace(".base_layer", "").removeprefix("base_model.model."): p for name, p in model.named_parameters()
    }
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    batch = case.family.collate(case.examples)
    losses = []
    for _ in range(3):
        loss = mean_loss(case.family.loss(model, batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(torch.equal(base[name], value) for name, value in case.model.named_parameters())


def test_an_adapter_comes_back_equal(case, tmp_path):
    model, batch = with_adapter(case), case.family.collate(case.examples)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(base_of(case), tmp_path).eval()
    assert furthest(logits(again, batch), logits(model, batch)) == 0


def test_the_merged_model_is_the_adapted_one(case, tmp_path):
    model, batch = with_adapter(case), case.family.collate(case.examples)
    adapted = logits(model, batch)
    assert furthest(adapted, logits(case.model, batch)) > 1e-2, "the adapter must matter for this to prove anything"
    merged = case.family.merge(model)
    assert furthest(logits(merged, batch), adapted) < 1e-4
    assert not [name for name, _ in merged.named_parameters() if "lora" in name]
    case.family.export(merged, tmp_path / "merged")
    loaded = case.module.load(case.module.Settings()).load_base(tmp_path / "merged", torch.float32)
    assert furthest(logits(loaded, batch), logits(merged, batch)) == 0


def test_lora_targets_match_layers_of_the_language_model_only(case):
    import re

    modules = dict(case.model.named_modules())
    matched = {name for name in modules if re.fullmatch(case.family.lora_targets, name)}
    assert matched and all(isinstance(modules[name], torch.nn.Linear | torch.nn.Embedding) for name in matched)
    assert not [name for name in matched if "codec" in name or "norm" in name]
    assert not [name for name in modules if re.fullmatch(case.family.lora_targets, f"codec.{name}")]
    adapted = {name.removeprefix("base_model.model.") for name in with_adapter(case).targeted_module_names}
    assert adapted == matched


def test_noise_falls_on_inputs_by_the_generators_seed(case):
    def noisy(seed):
        return case.family.collate(case.examples, torch.Generator().manual_seed(seed))

    clean = case.family.collate(case.examples)
    first, again = noisy(1), noisy(1)
    assert all(torch.equal(first[name], again[name]) for name in clean)
    assert all(torch.equal(first[name], clean[name]) for name in clean if "label" in name)


def test_the_same_seed_speaks_the_same(case):
    prompt = case.family.prompt("hei maailma", "aino")

    def codes(seed, **kwargs):
        limits = LIMITS.model_copy(update=kwargs)
        return case.family.generate(case.model, prompt, seed=seed, limits=limits).codes()

    first = codes(1)
    assert np.array_equal(first, codes(1)) and np.array_equal(first, codes(1, chunk_frames=1))
    assert any(not np.array_equal(first, codes(seed)) for seed in (2, 3, 4))


def test_generation_keeps_to_its_limits(case):
    sizes = case.family.codebook_sizes
    endings = set()
    for seed in range(6):
        generation = case.family.generate(case.model, case.family.prompt("hei", "aino"), seed=seed, limits=LIMITS)
        assert generation.ended is None
        chunks = list(generation)
        endings.add(generation.ended)
        assert all(chunk.dtype == np.uint16 and chunk.shape[1] == len(sizes) for chunk in chunks)
        assert all(len(chunk) == LIMITS.chunk_frames for chunk in chunks[:-1])
        frames = sum(map(len, chunks))
        assert frames <= LIMITS.max_frames and (generation.ended or frames == LIMITS.max_frames)
        assert all((chunk < np.array(sizes)).all() for chunk in chunks)
    assert endings <= {True, False}


def test_generation_between_training_steps_leaves_the_mode(case):
    model = with_adapter(case).train()
    case.family.generate(model, case.family.prompt("hei"), seed=0, limits=LIMITS).codes()
    assert model.training and all(module.training for module in model.modules())


def test_speaking_decodes_what_was_generated(case):
    class Codec:
        def decode(self, codes):
            return np.repeat(codes[:, 0].astype(np.float32), 10)

    audio = list(case.family.speak(case.model, Codec(), "hei", seed=3, limits=LIMITS))
    codes = case.family.generate(case.model, case.family.prompt("hei"), seed=3, limits=LIMITS).codes()
    assert np.concatenate(audio).tolist() == np.repeat(codes[:, 0].astype(np.float32), 10).tolist()


def test_checkpointing_activations_changes_no_gradient(case):
    def gradients(checkpointed):
        model = base_of(case).train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            assert model.is_gradient_checkpointing
        mean_loss(case.family.loss(model, case.family.collate(case.examples))).backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    assert furthest(gradients(True), gradients(False)) == 0


def test_a_lower_precision_is_kept_through_merge_and_export(case, tmp_path):
    torch.manual_seed(0)
    base = case.family.load_base(case.path, torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=case.family.lora_targets)).eval()
    batch = case.family.collate(case.examples)
    wide = float(mean_loss(case.family.loss(case.model, batch)).detach())
    assert float(mean_loss(case.family.loss(model, batch)).detach()) == pytest.approx(wide, rel=0.02)
    merged = case.family.merge(model)
    assert {p.dtype for p in merged.parameters()} == {torch.bfloat16}
    case.family.export(merged, tmp_path / "merged")
    assert case.family.load_base(tmp_path / "merged", torch.bfloat16).dtype == torch.bfloat16


def test_settings_import_no_heavy_library(case):
    import subprocess
    import sys

    check = f"import sys, {case.module.__name__}; print(sorted({{'torch', 'transformers', 'peft'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout.strip() == "[]"
    assert isinstance(case.module.LIBRARIES, tuple) and dataclasses.is_dataclass(case.examples[0])
