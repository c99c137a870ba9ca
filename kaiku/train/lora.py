"""Adapters: attached so that nothing but the adapter can learn, stored and loaded so that no foreign one slips in."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Parts
from kaiku.store import digest
from kaiku.train.settings import LoraSettings

LIBRARIES = ("peft", "torch", "transformers")

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def attach(model: nn.Module, settings: LoraSettings, targets: str, seed: int) -> PeftModel:
    """Put a fresh adapter on every module whose name matches; the model's own tensors are frozen.

    Its start is drawn from `seed`, and it changes no output before it has learned.
    """
    pattern = settings.targets or targets
    config = LoraConfig(
        r=settings.r, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=pattern, bias="none"
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)
        except ValueError as fault:
            raise KaikuError(
                f"no adapter can be attached to {type(model).__name__}: {fault}",
                expected=f"modules of the kinds Linear, Embedding or Conv whose full names match {pattern!r}",
                remedy="Correct lora.targets, or leave it out for the family's own.",
            ) from fault


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write adapter_model.safetensors (float32) and adapter_config.json; same adapter, same bytes."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in get_peft_model_state_dict(model).items()}
    save_file(tensors, folder / WEIGHTS)
    config = model.peft_config["default"]
    stored = LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=config.target_modules,
        bias="none",
        inference_mode=True,
    )
    stored.save_pretrained(str(folder))


def load_adapter(model: nn.Module, folder: Path) -> PeftModel:
    """Put a stored adapter on its base model.

    Raises KaikuError where tensors are missing, left over or of another shape, CorruptFile where they cannot be read.
    """
    try:
        config = LoraConfig.from_pretrained(str(folder))
        found = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as fault:
        raise CorruptFile(f"{folder} holds no readable adapter: {fault}", expected=f"{CONFIG} and {WEIGHTS}") from fault
    adapted = get_peft_model(model, config)
    expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(adapted).items()}
    _refuse_foreign({name: tensor.shape for name, tensor in found.items()}, expected, folder)
    set_peft_model_state_dict(adapted, found)
    return adapted


def _refuse_foreign(found: dict[str, torch.Size], expected: dict[str, torch.Size], folder: Path) -> None:
    faults = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    faults += [f"{name} has no place in the model" for name in sorted(found.keys() - expected.keys())]
    faults += [
        f"{name} is {list(found[name])} instead of {list(expected[name])}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    if faults:
        raise KaikuError(
            f"the adapter in {folder} does not fit: {faults[0]}"
            + (f", and {len(faults) - 1} more" if len(faults) > 1 else ""),
            expected="the adapter that its adapter_config.json describes, on the base model it was trained on",
            remedy="Give the base model of that run, or train the adapter again.",
        )


# --- guards


class BaseGuard:
    """Proof that the base model stays what it was: a digest of each of its tensors, taken before the adapter came."""

    def __init__(self, model: nn.Module):
        self._before = _tensor_digests(model)

    def check(self, model: nn.Module, when: str) -> None:
        """Raise KaikuError, naming tensors, if the base inside `model` (with or without adapter) has changed."""
        after = _tensor_digests(model)
        changed = sorted(
            name for name in self._before.keys() | after.keys() if self._before.get(name) != after.get(name)
        )
        if changed:
            raise KaikuError(
                f"{len(changed)} of {len(self._before)} base tensors have changed {when}, first {changed[0]}",
                expected="an adapter leaves its base model as it is: merged elsewhere it would mean something else",
                remedy="Nothing was published. This is a fault in the model family, not in the data.",
            )


def check_first_loss(without: Parts, with_adapter: Parts) -> None:
    """Raise KaikuError unless a fresh adapter left every part's loss as it was.

    Both: the family's parts, (sum, count), of one batch.
    """
    for part, (total, count) in without.items():
        before, after = float(total) / max(int(count), 1), float(with_adapter[part][0]) / max(int(count), 1)
        if not abs(after - before) <= 1e-6 * max(1.0, abs(before)):
            raise KaikuError(
                f"the fresh adapter changed the loss of {part!r} from {before} to {after}",
                expected="equal losses: a fresh adapter adds zero",
                remedy="This is a fault in the model family (weights loaded or drawn anew after the adapter came).",
            )


def _tensor_digests(model: nn.Module) -> dict[str, str]:
    """Digest of each parameter and buffer of the base, under its name in the bare model."""
    core = model.get_base_model() if isinstance(model, PeftModel) else model
    tensors = [*core.named_parameters(), *core.named_buffers()]
    return {name.replace(".base_layer.", "."): _tensor_digest(t) for name, t in tensors if ".lora_" not in name}


def _tensor_digest(tensor: torch.Tensor) -> str:
    flat = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)  # bfloat16 has no numpy type
    return digest.of_bytes(repr((tensor.dtype, list(tensor.shape))).encode(), memoryview(flat.numpy()))
