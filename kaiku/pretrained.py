"""Models of the transformers library from a folder of this machine: whole, in full precision, never from a hub."""

from pathlib import Path
from typing import Any

from kaiku.devices import torch_device
from kaiku.errors import CorruptFile, KaikuError


def load_whole(kind: Any, folder: Path, device: str, what: str) -> tuple[Any, str]:
    """The model in a folder, in evaluation, and where it runs. kind: a class of transformers; what: its name in words.

    device: `cpu`, `cuda` or `auto`. Raises KaikuError where the folder holds another kind of model, or where `cuda` is
    not to be had; CorruptFile where a tensor is missing or of another shape: transformers would fill it with random
    numbers and go on.
    """
    import torch
    from safetensors import SafetensorError

    if not (folder / "config.json").is_file():
        raise KaikuError(
            f"{folder}: no config.json",
            expected=f"{what} as transformers saves it",
            remedy="Give the folder of such a model under `bases:`.",
        )
    device = torch_device(device)
    try:
        model, report = kind.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (SafetensorError, OSError, RuntimeError, ValueError) as fault:
        raise CorruptFile(f"{folder}: {fault}", expected=what, remedy="Fetch it again, or mend its path.") from fault
    absent = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if absent:
        raise CorruptFile(
            f"{folder}: {len(absent)} tensors are missing or of another shape, first {absent[:3]}",
            expected=what,
            remedy="Give a model that was trained for this; a merely pretrained one has no head.",
        )
    return model.eval().requires_grad_(False).to(device), device
