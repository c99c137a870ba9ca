"""Networks computed in full float32 and the same way every time, on whatever device."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def exact_fp32() -> Iterator[None]:
    """No gradients, no TF32, no algorithm that may differ between two runs; as it was, afterwards.

    cuDNN takes TF32 for convolutions unless told not to, which moves codes, scores and texts.
    """
    import torch

    backends = torch.backends
    products = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    exact = [(unit, "fp32_precision", "ieee") for unit in products]
    exact += [(backends.cudnn, "deterministic", True), (backends.cudnn, "benchmark", False)]
    before = [getattr(owner, name) for owner, name, _ in exact]
    older_switch = _matmul_precision()
    if older_switch:
        torch.set_float32_matmul_precision("highest")
    for owner, name, value in exact:
        setattr(owner, name, value)
    try:
        with torch.inference_mode():
            yield
    finally:
        if older_switch:
            torch.set_float32_matmul_precision(older_switch)
        for (owner, name, _), value in zip(exact, before, strict=True):
            setattr(owner, name, value)


def _matmul_precision() -> str | None:
    """Torch's older switch, which must not contradict the newer ones on a GPU; None where only those were set."""
    import torch

    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
