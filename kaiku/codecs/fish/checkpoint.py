"""Upstream's `codec.pth`: read, compared key by key, weight normalisation folded; written for tiny random codecs."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store.atomic import writing

State = dict[str, Tensor]
BUFFERS = ("freqs_cis", "causal_mask")  # tables that upstream stores with the weights; they follow from the sizes
LISTED = 20


def read_checkpoint(path: Path) -> State:
    """The tensors of a `codec.pth` under upstream's names, without wrapper, prefix and stored tables.

    Raises KaikuError where there is no such file, CorruptFile where it is no file of tensors.
    """
    if not path.exists():
        raise KaikuError(
            f"{path} does not exist",
            expected="the codec.pth of openaudio-s1-mini",
            remedy="Fetch the base model, or give the folder that holds it",
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as fault:
        reason = (str(fault).splitlines() or ["it ends early"])[0]
        raise CorruptFile(
            f"{path}: {type(fault).__name__}: {reason}",
            expected="a PyTorch file of tensors only",
            remedy="Fetch it again",
        ) from fault
    return _bare_state(state, path)


def _bare_state(state: object, path: Path) -> State:
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CorruptFile(f"{path} holds a {type(state).__name__}", expected="a table of names and tensors")
    if any("generator." in name for name in state):  # a training checkpoint, which holds the discriminator as well
        state = {name.replace("generator.", ""): value for name, value in state.items() if "generator." in name}
    return {name: value for name, value in state.items() if name.rsplit(".", 1)[-1] not in BUFFERS}


def fill(network: nn.Module, state: State) -> None:
    """Put the weights of a checkpoint into a network made on the meta device, in float32, for inference only.

    Raises KaikuError that counts missing, unexpected and misshapen tensors and lists the first `LISTED` of them.
    """
    check_layout(expected_shapes(network), {name: tuple(value.shape) for name, value in state.items()})
    weights = {name: _folded(name, state) for name in network.state_dict()}
    network.load_state_dict(weights, assign=True)
    network.eval().requires_grad_(False)


def expected_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor that upstream's checkpoint of this network holds."""
    shapes = {}
    for name, value in network.state_dict().items():
        norm, direction = _weight_norm_names(name)
        if norm:
            shapes[norm] = (value.shape[0],) + (1,) * (value.dim() - 1)
        shapes[direction] = tuple(value.shape)
    return shapes


def check_layout(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    """Raise KaikuError unless names and shapes are equal."""
    faults = [f"missing {name} {list(expected[name])}" for name in sorted(expected.keys() - found.keys())]
    faults += [f"unexpected {name} {list(found[name])}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        if expected[name] != found[name]:
            faults.append(f"{name} has shape {list(found[name])}, not {list(expected[name])}")
    if faults:
        more = [f"and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
        raise KaikuError(
            f"codec.pth differs from the codec's {len(expected)} tensors in {len(faults)}: "
            + "; ".join(faults[:LISTED] + more),
            expected="exactly the tensors of openaudio-s1-mini's codec, or those of the codec_config.yaml beside it",
            remedy="Give the codec.pth that belongs to openaudio-s1-mini, or its own codec_config.yaml",
        )


def write_random(path: Path, network: nn.Module, *, seed: int) -> None:
    """Write a `codec.pth` of random weights for a network of this layout."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: _random(name, shape, generator) for name, shape in expected_shapes(network).items()}
    with writing(path) as file:
        torch.save(state, file)


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Values under which signals neither die out nor explode on their way through."""
    noise = torch.randn(shape, generator=generator)
    if name.endswith(".original0"):
        return 0.7 * (1 + 0.1 * noise)
    if name.endswith((".alpha", ".weight_g", "norm.weight")):
        return 1 + 0.1 * noise
    if name.endswith(".gamma"):
        return 0.3 + 0.05 * noise
    if name.endswith(".bias"):
        return 0.05 * noise
    if name.endswith("codebook.weight"):
        return noise
    return noise / noise[0].numel() ** 0.5


def _weight_norm_names(name: str) -> tuple[str | None, str]:
    """Upstream's names of a weight's norm (None where it is not weight-normed) and direction."""
    if name.startswith(("encoder.", "decoder.")) and name.endswith(".conv.weight"):
        stem = name.replace(".weight", ".parametrizations.weight")
        return f"{stem}.original0", f"{stem}.original1"
    if name.endswith((".in_proj.weight", ".out_proj.weight")):
        return f"{name}_g", f"{name}_v"
    return None, name


def _folded(name: str, state: State) -> Tensor:
    """A weight in float32: as stored, or norm * direction / |direction| (Salimans et al. 2016, arXiv:1602.07868)."""
    norm, direction = _weight_norm_names(name)
    weight = state[direction].float()
    if norm is None:
        return weight
    length = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
    return weight * (state[norm].float() / length)
