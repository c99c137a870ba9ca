"""From a training's checkpoints to the model: chosen, merged in float32, proven equal to the adapter, exported."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Family, Sentence
from kaiku.progress import log
from kaiku.store import atomic, digest
from kaiku.train.lora import CONFIG, load_adapter

LIBRARIES = ("peft", "torch", "transformers")

TOLERANCE = 1e-4  # largest difference of a logit, merged against adapter, both in float32
PROOF_SENTENCES = 8


def merge_run(
    family: Family,
    base: Path | None,
    checkpoints: Path,
    which: Literal["best", "last"] | int,
    out: Path,
    sentences: Sequence[Sentence],
    metadata: dict[str, Any],
    *,
    dtype: Literal["fp32", "bf16"] = "fp32",
) -> dict[str, Any]:
    """Write the model of a published training into `out`, whole, and return its metadata (also `metadata.json`).

    base: the folder that the adapter was trained on; not used for a training of all weights. which: best, last or a
    step. sentences: real ones, of which some prove that merged and adapted logits differ by less than 1e-4.
    Raises KaikuError on a step that was not kept, a foreign adapter or base, or a proof that fails.
    """
    step, val_loss = choose(checkpoints, which)
    folder = checkpoints / f"step_{step:06d}"
    is_adapter = (folder / CONFIG).exists()
    if is_adapter:
        _refuse_foreign_base(base, checkpoints)
        model, difference = _merge_proven(family, family.load_base(base, torch.float32), folder, sentences)
    else:
        model, difference = family.load_base(folder, torch.float32), None
    if dtype == "bf16":
        model = model.to(torch.bfloat16)
    written = {
        **metadata,
        "checkpoint": {"chosen": which, "step": step, "val_loss": val_loss},
        "merge": {"adapter": is_adapter, "max_logit_difference": difference, "tolerance": TOLERANCE, "dtype": dtype},
    }
    with atomic.folder(out) as beside:
        family.export(model, beside)
        atomic.write_json(beside / "metadata.json", written)
    log(f"{out}: step {step} ({which})" + (f", merged within {difference:.1e}" if is_adapter else ""))
    return written


def choose(checkpoints: Path, which: Literal["best", "last"] | int) -> tuple[int, float | None]:
    """The step that `which` means and its held-out loss (None if it is no longer known); it must have been kept."""
    path = checkpoints / "best.json"
    if not path.exists():
        raise CorruptFile(f"{checkpoints} holds no best.json", expected="the checkpoints of a finished training")
    best = json.loads(path.read_text())
    step = {"best": best["step"], "last": best["last"]}.get(which, which)
    kept = sorted(int(p.name.removeprefix("step_")) for p in checkpoints.glob("step_*"))
    if step not in kept:
        raise KaikuError(
            f"merge.checkpoint is {which}, but {checkpoints} holds the steps {', '.join(map(str, kept))}",
            expected="best, last or one of these",
            remedy="train.keep and train.save_every decide which checkpoints stay.",
        )
    rows = map(json.loads, (checkpoints / "curve.jsonl").read_text().splitlines())
    return step, next((row.get("val_loss") for row in rows if row["step"] == step), None)


def _refuse_foreign_base(base: Path | None, checkpoints: Path) -> None:
    expected = json.loads((checkpoints / "run.json").read_text())["base_digest"]
    found = digest.of_tree(base) if base else None
    if found != expected:
        raise KaikuError(
            f"the adapter in {checkpoints} was trained on another base model than {base}",
            expected=f"a base folder with digest {expected}, not {found}",
            remedy="Give the base of that training; if a file of it was changed, fetch it again.",
        )


# --- the proof


def _merge_proven(
    family: Family, model: nn.Module, adapter: Path, sentences: Sequence[Sentence]
) -> tuple[nn.Module, float]:
    """The merged model, and the largest difference of its logits from the adapter's on real sentences."""
    if not len(sentences):
        raise KaikuError("no sentence to prove the merge on", expected="some of the run's sentences")
    batch = family.collate([family.example(sentence) for sentence in sentences[:PROOF_SENTENCES]], None)
    adapted = load_adapter(model, adapter)
    with_adapter = _logits(family, adapted.get_base_model(), batch)
    merged = family.merge(adapted)
    difference = _largest_difference(with_adapter, _logits(family, merged, batch))
    if not difference < TOLERANCE:
        raise KaikuError(
            f"merged and adapted logits of {adapter} differ by {difference:.2e}",
            expected=f"less than {TOLERANCE:.0e} in float32",
            remedy="Nothing was written. This is a fault in the model family's merge, not in the data.",
        )
    return merged, difference


@torch.no_grad()
def _logits(family: Family, model: nn.Module, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """What the family's loss compares with its targets, in order."""
    model.eval()
    with _recording_logits() as logits:
        family.loss(model, batch)
    if not logits:
        raise TypeError(f"the loss of family {family.name} does not call torch.nn.functional.cross_entropy")
    return logits


@contextmanager
def _recording_logits() -> Iterator[list[torch.Tensor]]:
    """Collect the first argument of every cross entropy: logits are known by that, whatever a model is made of."""
    seen: list[torch.Tensor] = []

    class Recorder(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.nn.functional.cross_entropy:
                seen.append((args[0] if args else kwargs["input"]).detach().float())
            return function(*args, **(kwargs or {}))

    with Recorder():
        yield seen


def _largest_difference(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """Not a number where any logit is not one."""
    differences = [(a - b).abs().flatten() for a, b in zip(left, right, strict=True)]
    return float(torch.cat(differences).max())
