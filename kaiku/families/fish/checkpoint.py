"""Weights of a dual-AR model: read from upstream's files key by key, written as safetensors."""

from pathlib import Path

import torch
from torch import Tensor

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families.fish.config import DualARConfig, write_config
from kaiku.families.fish.files import REMEDY
from kaiku.families.fish.model import DualAR
from kaiku.families.fish.tokenizer import Tokenizer

SAFETENSORS, PICKLE = "model.safetensors", "model.pth"
SHOWN = 5  # keys of each kind that a message names


def read_model(folder: Path, config: DualARConfig, dtype: torch.dtype) -> DualAR:
    """The model with a checkpoint's weights. Raises KaikuError that lists the keys where one is missing or unknown."""
    weights = read_weights(folder)
    with torch.device("meta"):
        model = DualAR(config)
    _check_keys(folder, model.state_dict(), weights)
    model.load_state_dict({key: value.to(dtype) for key, value in weights.items()}, assign=True)
    return model.requires_grad_(True).eval()


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors by our names, from model.safetensors or upstream's model.pth.

    Of a model.pth, a "state_dict" wrapper and a "model." prefix are taken off, "audio_" tensors (the codec's) are left
    out, and wq, wk, wv of older files become wqkv. Raises CorruptFile where the file is broken.
    """
    if (folder / SAFETENSORS).exists():
        return _read_safetensors(folder / SAFETENSORS)
    path = folder / PICKLE
    if not path.exists():
        raise KaikuError(f"{folder} holds no weights", expected=f"{SAFETENSORS} or {PICKLE}")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as fault:
        raise CorruptFile(f"{path} cannot be read: {fault}", expected="a state dict saved by torch") from fault
    weights = weights.get("state_dict", weights) if isinstance(weights, dict) else weights
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        found = f"{path} holds a {type(weights).__name__}"
        raise CorruptFile(found, expected="a table of names and tensors", remedy=REMEDY)
    weights = {key.removeprefix("model."): value for key, value in weights.items() if "audio_" not in key}
    return _merge_separate_projections(weights)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as fault:
        raise CorruptFile(f"{path} cannot be read: {fault}", expected="a safetensors file", remedy=REMEDY) from fault


def write_model(model: DualAR, tokenizer: Tokenizer, folder: Path, *, pickle: bool) -> None:
    """Write the files of a checkpoint into a folder; pickle: with upstream's model.pth as well."""
    from safetensors.torch import save_file

    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_config(model.config, folder)
    tokenizer.save(folder)
    save_file(weights, folder / SAFETENSORS, metadata={"format": "pt"})
    if pickle:
        torch.save(weights, folder / PICKLE)


def _merge_separate_projections(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    merged = dict(weights)
    for key in weights:
        stem, dot, kind = key.rpartition(".")
        parts = [f"{stem[:-1]}{letter}{dot}{kind}" for letter in "qkv"]
        if stem.endswith(".wq") and all(part in weights for part in parts):
            merged[f"{stem[:-1]}qkv{dot}{kind}"] = torch.cat([merged.pop(part) for part in parts])
    return merged


def _check_keys(folder: Path, wanted: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    missing = [key for key in wanted if key not in found]
    unknown = [key for key in found if key not in wanted]
    shapes = [
        f"{key} {list(found[key].shape)} instead of {list(wanted[key].shape)}"
        for key in wanted
        if key in found and found[key].shape != wanted[key].shape
    ]
    faults = [("missing", missing), ("unknown", unknown), ("of another shape", shapes)]
    told = [f"{len(keys)} {kind}: {', '.join(keys[:SHOWN])}" for kind, keys in faults if keys]
    if not told:
        return
    adapters = any("lora" in key for key in unknown)
    raise KaikuError(
        f"weights in {folder} do not fit its config.json; keys {'; '.join(told)}",
        expected=f"exactly the {len(wanted)} tensors of the model",
        remedy="These are adapters, not a whole model: merge them into their base first." if adapters else "",
    )
