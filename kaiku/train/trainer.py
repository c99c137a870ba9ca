"""One trainer for all families of language models: `transformers.Trainer` with our loss, batches and state."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from kaiku.errors import KaikuError
from kaiku.families import Family, Parts, Sentence
from kaiku.progress import log, track
from kaiku.train.arguments import learning_rate_share, training_arguments
from kaiku.train.curve import Curve
from kaiku.train.lora import save_adapter
from kaiku.train.sampler import Batches, evaluation_batches
from kaiku.train.settings import TrainSettings
from kaiku.train.stop import ignore_stop

LIBRARIES = ("accelerate", "numpy", "peft", "torch", "transformers")

TRAINABLE = "trainable.safetensors"


class Keeper(Protocol):
    """Where a training's state goes (`kaiku.train.state.RunState`)."""

    folder: Path

    def saving(self, step: int, seconds: float, curve: Curve) -> Any: ...
    def weights(self, step: int) -> Any: ...
    def published(self) -> dict[int, Path]: ...
    def retain(self, curve: Curve, keep: int) -> None: ...


def mean_loss(parts: Parts, counts: Mapping[str, int]) -> torch.Tensor:
    """The parts' sums, each over its number of targets, added up."""
    return torch.stack([total / max(counts[part], 1) for part, (total, _) in parts.items()]).sum()


def core_of(model: nn.Module) -> nn.Module:
    """The family's own module, with the adapter's layers inside where there is one."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


class SentenceTrainer(Trainer):
    """Trains a family on sentences.

    Each part of the loss is divided by its number of targets in the whole accumulated batch, so that how a batch is cut
    into forward passes changes nothing but memory.
    """

    loss_is_scaled_for_ga = True  # by compute_loss itself

    def __init__(
        self,
        family: Family,
        model: nn.Module,
        settings: TrainSettings,
        batches: Batches,
        val: Sequence[Sentence],
        keeper: Keeper,
        curve: Curve,
        should_stop: Callable[[], bool],
        seconds: float = 0.0,
    ):
        super().__init__(model, training_arguments(settings, keeper.folder), train_dataset=batches)
        self.remove_callback(PrinterCallback)
        self.family, self.settings, self.core = family, settings, core_of(model)
        self.keeper, self.curve, self.should_stop = keeper, curve, should_stop
        self.model_accepts_loss_kwargs = False
        self._val = [family.example(sentence) for sentence in val]
        self._val_batches = evaluation_batches(np.array([e.length for e in self._val]), settings.batch_size)
        self._began = time.monotonic() - seconds
        done = self.curve.last_step
        self.finished = done == settings.max_steps or self._stops_early()
        steps = range(done, settings.max_steps + 1)  # one more: a step counts when the next is asked for
        self._bar = track(steps, total=settings.max_steps - done, label="train", unit="step")

    # --- data

    def get_train_dataloader(self) -> DataLoader:
        """Batches from the first one not trained on; with ignore_data_skip, the Trainer skips none of them."""
        first = self.curve.last_step * self.settings.accumulate
        total = self.settings.max_steps * self.settings.accumulate
        return DataLoader(
            self.train_dataset,
            batch_size=None,
            sampler=range(first, total),
            num_workers=self.settings.workers,
            pin_memory=self.args.device.type == "cuda",
            worker_init_fn=ignore_stop,
            generator=torch.Generator(),  # else the loader draws from the generator of dropout
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, torch.Tensor]], dict[str, int]]:
        """The forward passes of one step, and each part's number of targets in all of them."""
        batches = [next(epoch_iterator) for _ in range(num_batches)]
        targets: Counter[str] = Counter()
        for batch in batches:
            targets.update(self.family.counts(batch))
        return batches, targets

    # --- one step

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> torch.autocast:
        """Covers the family's whole loss; accelerate would cover only the model's own `forward`."""
        return torch.autocast(
            self.args.device.type, torch.bfloat16, self.settings.precision == "bf16", cache_enabled=cache_enabled
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """This forward pass's share of the step's loss; num_items_in_batch: each part's targets in the whole step."""
        return mean_loss(self.family.loss(self.core, inputs), num_items_in_batch)

    def train(self, *args, **kwargs):
        """Train, with a bar."""
        next(self._bar)
        return super().train(*args, **kwargs)

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._refuse_non_finite(loss, "loss")
        return loss

    def _clip_grad_norm(self, model):
        norm = super()._clip_grad_norm(model)
        self._refuse_non_finite(norm, "gradient norm")
        return norm

    def _refuse_non_finite(self, value: torch.Tensor | float, what: str) -> None:
        if math.isfinite(float(value)):
            return
        settings = self.settings
        raise KaikuError(
            f"the {what} at step {self.state.global_step + 1} of {settings.max_steps} is {float(value)}",
            expected="a finite number",
            remedy=f"Lower train.learning_rate ({settings.learning_rate:g}) or train.clip_norm ({settings.clip_norm:g})"
            f", or raise train.warmup_steps ({settings.warmup_steps})"
            + ("; train.precision: fp32 rules out rounding" if settings.precision == "bf16" else "")
            + ". train.resume: adopt continues from the last checkpoint with the new value.",
        )

    def create_scheduler(self, num_training_steps: int, optimizer=None) -> LambdaLR:
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(self.optimizer, lambda step: learning_rate_share(step, self.settings))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def finish(self, checkpoint: Path) -> None:
        """Leave what the end of a training leaves, where it was not reached as one: settings that were adopted ended it
        at a step that only a stop had saved, or it was killed just there. checkpoint: the folder of that step's.
        """
        step = self.curve.last_step
        if step not in self.keeper.published() or step not in self.curve.val_losses():
            self._load_from_checkpoint(str(checkpoint))
            self.curve.measure_last(self.evaluate())
            self._save_weights(step)
        self.keeper.retain(self.curve, self.settings.keep)

    # --- after each step

    def _maybe_log_save_evaluate(
        self, tr_loss, grad_norm, model, trial, epoch, ignore_keys_for_eval, start_time, learning_rate=None
    ) -> None:
        """The curve's row, an evaluation, a checkpoint, the end: in this order, where they are due."""
        step, settings = self.state.global_step, self.settings
        if step == self.curve.last_step:
            return  # the Trainer calls once more at the end of an epoch
        row = {"step": step, "loss": tr_loss.item(), "learning_rate": learning_rate, "grad_norm": float(grad_norm)}
        tr_loss.zero_()
        next(self._bar, None)
        last = step == settings.max_steps
        if last or step % settings.eval_every == 0:
            row |= self.evaluate()
            log(f"step {step} of {settings.max_steps}: loss {row['loss']:.4f}, held-out {row['val_loss']:.4f}")
        self.curve.append(row)
        self.finished = last or self._stops_early()
        stop = self.should_stop()
        if self.finished or step % settings.save_every == 0:
            self._save_weights(step)
            self._save_checkpoint(model, trial)
            self.keeper.retain(self.curve, settings.keep)
        elif stop:
            self._save_checkpoint(model, trial)
        self.control.should_training_stop = self.finished or stop

    def _stops_early(self) -> bool:
        patience = self.settings.early_stop
        return patience is not None and self.curve.evaluations_since_best() >= patience

    @torch.no_grad()
    def evaluate(self, *args, **kwargs) -> dict[str, Any]:
        """Mean loss on the held-out sentences: every part's sum over all of them by its count."""
        self.model.eval()
        sums: Counter[str] = Counter()
        targets: Counter[str] = Counter()
        for indices in self._val_batches:
            batch = self._prepare_inputs(self.family.collate([self._val[i] for i in indices], None))
            with self.compute_loss_context_manager():
                parts = self.family.loss(self.core, batch)
            for part, (total, count) in parts.items():
                sums[part] += float(total)
                targets[part] += int(count)
        means = {part: total / max(targets[part], 1) for part, total in sums.items()}
        self._refuse_non_finite(sum(means.values()), "held-out loss")
        return {"val_loss": sum(means.values()), "val_parts": means}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The curve is the only log."""

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not estimated."""
        return 0

    # --- state

    @property
    def seconds(self) -> float:
        """Time spent on this training by all its processes up to the checkpoints they left."""
        return time.monotonic() - self._began

    def _trainable(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.core.named_parameters() if p.requires_grad}

    def _save_weights(self, step: int) -> None:
        with self.keeper.weights(step) as folder:
            if isinstance(self.model, PeftModel):
                save_adapter(self.model, folder)
            else:
                self.family.export(self.core, folder)

    def _save_checkpoint(self, model, trial) -> None:
        """Everything a bit-equal continuation needs; trained tensors exactly, whatever the family's export casts."""
        with self.keeper.saving(self.state.global_step, self.seconds, self.curve) as folder:
            tensors = {name: p.detach().cpu().contiguous() for name, p in self._trainable().items()}
            save_file(tensors, folder / TRAINABLE)
            self._save_optimizer_and_scheduler(str(folder))
            self._save_rng_state(str(folder))
            self.state.save_to_json(str(folder / "trainer_state.json"))

    @torch.no_grad()
    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        tensors, trainable = load_file(Path(resume_from_checkpoint) / TRAINABLE), self._trainable()
        if {n: t.shape for n, t in tensors.items()} != {n: p.shape for n, p in trainable.items()}:
            raise KaikuError(
                f"the state in {resume_from_checkpoint} holds {len(tensors)} trained tensors of other names or shapes "
                f"than the {len(trainable)} to be trained now",
                expected="the same base architecture, lora.r and lora.targets",
                remedy="Set train.resume: restart; the state is set aside, not deleted.",
            )
        for name, parameter in trainable.items():
            parameter.copy_(tensors[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Moments and step come from the checkpoint; rates and decays from the settings, which an adopted state may
        have got anew."""
        if checkpoint is None:
            return
        hyperparameters = ("initial_lr", "betas", "eps", "weight_decay")
        settings = [{name: group[name] for name in hyperparameters} for group in self.optimizer.param_groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        self.lr_scheduler.base_lrs = [group["initial_lr"] for group in settings]
        share = learning_rate_share(self.lr_scheduler.last_epoch, self.settings)
        for group, values in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(values, lr=values["initial_lr"] * share)
        self.lr_scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]  # what the curve shows
