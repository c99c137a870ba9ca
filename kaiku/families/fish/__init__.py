"""fish-speech's dual-AR language model: openaudio-s1-mini as upstream ships it, or a small one from nothing.

A slow transformer reads text and frames and predicts each frame's first code; a fast one predicts the codes of one
frame, one after the other, from the slow one's hidden state.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from kaiku.strict import Strict

if TYPE_CHECKING:
    from kaiku.families.fish.family import Fish

LIBRARIES = ("tiktoken", "torch", "transformers")


class ModelSizes(Strict):
    """Sizes of a model that starts from nothing, under upstream's names; a base that is given brings its own."""

    dim: int = Field(128, gt=0, description="width of the slow transformer")
    n_layer: int = Field(3, gt=0)
    n_head: int = Field(4, gt=0, description="query heads")
    n_local_heads: int = Field(2, gt=0, description="key and value heads")
    intermediate_size: int = Field(384, gt=0, description="width inside the feed-forward layers")
    fast_dim: int = Field(96, gt=0, description="width of the fast transformer")
    n_fast_layer: int = Field(1, gt=0)
    fast_n_head: int = Field(4, gt=0)
    fast_n_local_heads: int = Field(2, gt=0)
    fast_intermediate_size: int = Field(192, gt=0)
    dropout: float = Field(0.3, ge=0, lt=1, description="after each attention and feed-forward layer, in training")
    rope_base: float = Field(10_000.0, gt=0)
    max_seq_len: int = Field(2048, gt=0, description="positions of a sequence: text and frames together")

    @model_validator(mode="after")
    def _heads_fit(self) -> "ModelSizes":
        for stack in ("", "fast_"):
            width, heads, shared = (getattr(self, f"{stack}{name}") for name in ("dim", "n_head", "n_local_heads"))
            if width % (2 * heads):
                raise ValueError(f"{stack}dim={width} over {stack}n_head={heads} gives a head no even width")
            if heads % shared:
                raise ValueError(f"{stack}n_head={heads} is no multiple of {stack}n_local_heads={shared}")
        return self


class Settings(Strict):
    """What changes the result of a run of this family, beside the trainer's own settings."""

    model: ModelSizes = ModelSizes()
    input_noise: float = Field(
        0.3,
        ge=0,
        le=0.5,
        description="mean share of the input frames, never of the targets, that training replaces by other frames of "
        "the batch: each sequence draws its share from 0 to twice this. Keeps a small corpus from being learnt by "
        "heart; 0 trains as upstream does",
    )
    layout: Literal["instruct", "interleave"] = Field(
        "instruct",
        description="how text stands before its frames in an openaudio checkpoint: as upstream packs it for training, "
        "or as upstream prompts it; both our training and our generation use the one chosen here",
    )
    name_speaker: bool = Field(
        False, description="put the speaker's name before the text: for several voices in one run"
    )
    upstream_compat: bool = Field(
        False,
        description="leave the input embeddings unscaled in training although the base scales them in generation, as "
        "upstream does; else both scale",
    )
    export_pickle: bool = Field(False, description="export upstream's model.pth beside model.safetensors")


def load(settings: Settings) -> "Fish":
    """The family as the settings want it."""
    from kaiku.families.fish.family import Fish

    return Fish(settings)


def tiny(folder: Path) -> Path:
    """Write a random base of 100,000 parameters in upstream's layout: 3 codebooks (64, 32, 32), bytes as vocabulary."""
    from kaiku.families.fish.fresh import write_tiny

    return write_tiny(folder)
