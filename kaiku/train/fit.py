"""A training's numbers: the model and its adapter, its batches, its steps.

This module and what it imports decide the result, so it is the one whose code enters a training's key; locks, folders
and publication are `kaiku.train.run`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import nn
from torch.utils.checkpoint import checkpoint

from kaiku.errors import KaikuError
from kaiku.families import Family, Parts, Sentence
from kaiku.progress import track
from kaiku.store import atomic
from kaiku.strict import Strict
from kaiku.train import lora
from kaiku.train.curve import Curve
from kaiku.train.sampler import Batches, Mix
from kaiku.train.settings import LoraSettings, TrainSettings
from kaiku.train.trainer import Keeper, SentenceTrainer

LIBRARIES = ("accelerate", "numpy", "peft", "torch", "transformers")


@dataclass(frozen=True)
class TrainSpec:
    """All that one training needs.

    family_settings: what the family was loaded with. base: folder of the base model; None draws a new one from the
    family's settings, `codebook_sizes` and the seed.
    train, val: sentences (speaker, text, codes uint16 [frames, codebooks]). lora: None trains all weights.
    key, key_parts: digest of data, configuration and code, and what it was made of (JSON).
    state: folder of resumable state. out: folder of published checkpoints.
    mix: how often each clip of a corpus is heard in an epoch, where not once. corpora: of each sentence of `train`;
    asked for only where there is a mix.
    """

    family: Family
    family_settings: Strict
    base: Path | None
    codebook_sizes: tuple[int, ...]
    train: Sequence[Sentence]
    val: Sequence[Sentence]
    settings: TrainSettings
    lora: LoraSettings | None
    key: str
    key_parts: dict[str, Any]
    state: Path
    out: Path
    mix: Mapping[str, float] = field(default_factory=dict)
    corpora: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """How far a training came; `finished` is false where it was asked to stop before its end.

    seconds: of all processes that worked on it. parameters: numbers of them, `trained` and `total`.
    """

    step: int
    finished: bool
    seconds: float
    parameters: dict[str, int]


def fit(
    spec: TrainSpec, keeper: Keeper, curve: Curve, resume: Path | None, seconds: float, should_stop: Callable[[], bool]
) -> Outcome:
    """Train from the end of `curve` to the end, or to the step in which a stop is asked for.

    resume: folder of the checkpoint at the end of `curve`. seconds: training time up to there.
    """
    _refuse_empty(spec)
    model, guard = _prepare_model(spec, keeper)
    trainer = SentenceTrainer(
        spec.family, model, spec.settings, _batches(spec), spec.val, keeper, curve, should_stop, seconds
    )
    with _deterministic():
        if resume and trainer.finished:
            trainer.finish(resume)
        else:
            trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if guard:
        guard.check(model, "by the end of the training")
    return Outcome(curve.last_step, trainer.finished, trainer.seconds, _count_parameters(model))


def _refuse_empty(spec: TrainSpec) -> None:
    for name, sentences in (("training", spec.train), ("held-out", spec.val)):
        if not len(sentences):
            raise KaikuError(
                f"no {name} sentence: {len(spec.train)} to train on, {len(spec.val)} held out",
                expected="at least one of each; the best checkpoint is chosen by the held-out loss",
                remedy="Look at the selection's report for what was dropped, and at split.val of the dataset.",
            )
    if absent := sorted(spec.mix.keys() - set(spec.corpora)):
        raise KaikuError(
            f"mix.{absent[0]}: no training sentence is of that corpus, of {len(spec.train)} in all",
            expected=f"one of {', '.join(sorted(set(spec.corpora)))}",
            remedy="Look at the dataset's report for what became of its clips, or take it out of the mix.",
        )


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic kernels for the length of the block; an operation that has none on this device warns."""
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


# --- data


def _batches(spec: TrainSpec) -> Batches:
    settings = spec.settings
    sentences = track(spec.train, total=len(spec.train), label="lengths", unit="sentence")
    return Batches(
        spec.family,
        spec.train,
        np.array([spec.family.example(sentence).length for sentence in sentences]),
        batch_size=settings.batch_size,
        bucket_batches=settings.bucket_batches,
        seed=settings.seed,
        mix=Mix(spec.corpora, spec.mix, settings.seed) if spec.mix else None,
    )


# --- model


def _prepare_model(spec: TrainSpec, keeper: Keeper) -> tuple[nn.Module, lora.BaseGuard | None]:
    """The model to train: whole in float32, or frozen in the training's precision with an adapter in float32."""
    base = spec.base or _new_base(spec, keeper)
    frozen_bf16 = spec.lora is not None and spec.settings.precision == "bf16"
    model = spec.family.load_base(base, torch.bfloat16 if frozen_bf16 else torch.float32)
    if spec.settings.gradient_checkpointing:
        _enable_gradient_checkpointing(model)
    return _attach_guarded(spec, model) if spec.lora else (model, None)


def _new_base(spec: TrainSpec, keeper: Keeper) -> Path:
    if spec.lora is not None:
        raise KaikuError(
            "an adapter (lora) was asked for, but no base model",
            expected="base: a name or path; or no lora, to train a new model whole",
        )
    folder = keeper.folder / "base"
    if not folder.exists():
        with atomic.folder(folder) as beside:
            spec.family.new_base(spec.family_settings, spec.codebook_sizes, spec.settings.seed, beside)
    return folder


def _attach_guarded(spec: TrainSpec, model: nn.Module) -> tuple[PeftModel, lora.BaseGuard]:
    """The model with its adapter, proven to change nothing yet."""
    guard = lora.BaseGuard(model)
    before = _first_loss(spec, model)
    adapted = lora.attach(model, spec.lora, spec.family.lora_targets, spec.settings.seed)
    guard.check(adapted, "while the adapter was attached")
    lora.check_first_loss(before, _first_loss(spec, adapted.get_base_model()))
    return adapted, guard


@torch.no_grad()
def _first_loss(spec: TrainSpec, core: nn.Module) -> Parts:
    core.eval()
    return spec.family.loss(core, spec.family.collate([spec.family.example(spec.train[0])], None))


def _enable_gradient_checkpointing(model: nn.Module) -> None:
    """Recompute activations per layer.

    Not by the public method: with an adapter it also makes the embeddings' output a leaf that needs gradients, which
    models that write into it in place (CSM's depth decoder) do not survive.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise KaikuError(
            f"{type(model).__name__} cannot recompute activations",
            remedy="Set train.gradient_checkpointing: false, and lower train.batch_size with train.accumulate raised.",
        )
    model._set_gradient_checkpointing(enable=True, gradient_checkpointing_func=partial(checkpoint, use_reentrant=False))


def _count_parameters(model: nn.Module) -> dict[str, int]:
    counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {"trained": sum(n for n, trained in counts if trained), "total": sum(n for n, _ in counts)}
