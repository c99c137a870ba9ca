"""Settings of training and merging."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from kaiku.strict import Strict, speed_only

Decay = Annotated[float, Field(ge=0, lt=1)]


class LoraSettings(Strict):
    """A low-rank adapter: W + alpha / r * B A beside each target (Hu et al., 2021, arXiv:2106.09685)."""

    r: int = Field(8, ge=1, description="Rank of the adapter. 8 holds a voice; 16 to 32 for a new language.")
    alpha: int = Field(16, ge=1, description="The adapter's output is scaled by alpha / r.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the adapter's inputs dropped while training.")
    targets: str | None = Field(
        None,
        description="Regex that module names must match in full to get an adapter. Default: the family's own, "
        "all attention and feed-forward layers and never a codec inside the model.",
    )

    @field_validator("targets")
    @classmethod
    def _targets_is_a_regex(cls, targets: str | None) -> str | None:
        if targets is not None:
            try:
                re.compile(targets)
            except re.error as fault:
                raise ValueError(f"targets is no regular expression: {fault}") from fault
        return targets


class TrainSettings(Strict):
    """How a model is trained. Steps are optimizer steps throughout."""

    max_steps: int = Field(3000, ge=1, description="Optimizer steps in all; the schedule ends there.")
    batch_size: int = Field(8, ge=1, description="Clips per forward pass. More needs more memory.")
    accumulate: int = Field(
        1, ge=1, description="Forward passes per step: the step sees batch_size * accumulate clips in the same memory."
    )
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate, reached at the end of the warm-up.")
    betas: tuple[Decay, Decay] = Field((0.9, 0.95), description="AdamW's decay rates of both moments.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's decoupled decay; biases and norms are spared.")
    warmup_steps: int = Field(30, ge=0, description="Steps of linear rise to the peak, while Adam's moments settle.")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="Course of the rate after the warm-up.")
    floor_share: float = Field(0.05, ge=0, le=1, description="Cosine ends at this share of the peak learning rate.")
    clip_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this global L2 norm.")
    seed: int = Field(0, ge=0, description="Draws the order of clips, input noise, dropout and the adapter's start.")
    bucket_batches: int = Field(
        50,
        ge=1,
        description="Clips are sorted by length within buckets of this many batches: 50 cuts padding from a third of "
        "all positions to about 2 %. 1 sorts nothing across batches.",
    )
    eval_every: int = Field(100, ge=1, description="Steps between evaluations on the held-out sentences.")
    save_every: int = Field(
        100, ge=1, description="Steps between checkpoints, a multiple of eval_every: each gets a held-out loss."
    )
    keep: int = Field(3, ge=1, description="Newest checkpoints kept; the best one is kept besides.")
    early_stop: int | None = Field(
        None, ge=1, description="Stop after this many evaluations in a row without a new lowest held-out loss."
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16: forward pass in bfloat16, trained weights and optimizer stay in float32."
    )
    gradient_checkpointing: bool = speed_only(
        False, description="Recompute activations in the backward pass: a third slower, far less memory."
    )
    workers: int = speed_only(0, ge=0, description="Processes that prepare batches; 0 prepares them in the main one.")
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="auto: a GPU where there is one.")
    resume: Literal["auto", "adopt", "restart"] = speed_only(
        "auto",
        description="auto: continue an unfinished training of the same data, configuration and code, set any other "
        "aside. adopt: continue the state that is there, or was set aside last, although they changed; held-out losses "
        "of other sentences are then compared with none that follow. restart: set what is there aside in any case. "
        "What a word began, the same word or auto continues.",
    )

    @model_validator(mode="after")
    def _every_checkpoint_is_evaluated(self) -> "TrainSettings":
        if self.save_every % self.eval_every:
            raise ValueError(
                f"save_every={self.save_every} is no multiple of eval_every={self.eval_every}: "
                "a checkpoint without a held-out loss could not be compared with the others"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainSettings":
        if self.warmup_steps > self.max_steps:
            raise ValueError(f"warmup_steps={self.warmup_steps} is more than max_steps={self.max_steps}")
        return self


class MergeSettings(Strict):
    """Which checkpoint becomes the model, and in which precision."""

    checkpoint: Literal["best", "last"] | int = Field(
        "best", description="best: lowest held-out loss; last: the final one; or the step of a kept checkpoint."
    )
    dtype: Literal["fp32", "bf16"] = Field(
        "fp32", description="Type of the merged weights; merging itself is always done in float32, the cast comes last."
    )
