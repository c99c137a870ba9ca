"""The shape of a dual-AR model, under the names of upstream's config.json."""

from pathlib import Path
from typing import Any

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import PretrainedConfig

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families.fish.files import REMEDY, read_object
from kaiku.store import atomic

UPSTREAM_RESIDUAL_SIZE = (
    1024  # upstream samples codebooks 1 and up from their first 1024 codes, whatever the config says
)


@strict
class DualARConfig(PretrainedConfig):
    """openaudio-s1-mini's shape by default; names as upstream's, save the last five, which upstream takes elsewhere.

    codebook_sizes: codes of each codebook, where `codebook_size` is only the largest. semantic_begin_id and
    semantic_end_id: token ids of code 0 and of the last code of codebook 0 (upstream: from the tokenizer).
    upstream_compat: input embeddings are unscaled in training although generation scales them.
    """

    model_type = "dual_ar"

    vocab_size: int = 155776
    n_layer: int = 28
    n_head: int = 16
    n_local_heads: int = 8
    head_dim: int = 128
    dim: int = 1024
    intermediate_size: int = 3072
    rope_base: float | int = 1_000_000
    norm_eps: float = 1e-6
    max_seq_len: int = 8192
    dropout: float | int = 0.0
    tie_word_embeddings: bool = False
    attention_qkv_bias: bool = False
    attention_o_bias: bool = False
    attention_qk_norm: bool = True
    codebook_size: int = 4096
    num_codebooks: int = 10
    use_gradient_checkpointing: bool = True
    initializer_range: float = 0.03125
    is_reward_model: bool = False
    scale_codebook_embeddings: bool = True
    n_fast_layer: int = 4
    fast_dim: int = 1024
    fast_n_head: int = 16
    fast_n_local_heads: int = 8
    fast_head_dim: int = 64
    fast_intermediate_size: int = 3072
    fast_attention_qkv_bias: bool = False
    fast_attention_o_bias: bool = False
    fast_attention_qk_norm: bool = False

    norm_fastlayer_input: bool = False
    codebook_sizes: list[int] | tuple[int, ...] | None = None
    semantic_begin_id: int = 151658
    semantic_end_id: int = 155753
    upstream_compat: bool = False

    def __post_init__(self, **kwargs: Any):
        if self.codebook_sizes is None:
            residual = min(self.codebook_size, UPSTREAM_RESIDUAL_SIZE)
            self.codebook_sizes = [self.codebook_size] + [residual] * (self.num_codebooks - 1)
        super().__post_init__(**kwargs)


# What upstream's config.json holds, and nothing else: its loader refuses a key that it does not know.
OUR_KEYS = ("norm_fastlayer_input", "codebook_sizes", "semantic_begin_id", "semantic_end_id", "upstream_compat")
UPSTREAM_KEYS = ("model_type", *(key for key in DualARConfig.__annotations__ if key not in OUR_KEYS))


def read_config(folder: Path) -> DualARConfig:
    """The config of a checkpoint folder.

    Raises KaikuError where it is no dual-AR model that we can run, CorruptFile where one of its files is broken.
    """
    path = folder / "config.json"
    if not path.exists():
        raise KaikuError(f"{folder} holds no config.json", expected="a fish-speech checkpoint folder")
    values = read_object(path)
    if values.get("model_type") != "dual_ar":
        raise KaikuError(f"{path}: model_type {values.get('model_type')!r}", expected="'dual_ar'")
    if values.get("tie_word_embeddings"):
        raise KaikuError(
            f"{path}: tied word embeddings",
            expected="an untied output, as in openaudio-s1-mini",
            remedy="S2 checkpoints have another tokenizer and another licence; they are not supported.",
        )
    try:
        config = DualARConfig(**{key: values[key] for key in (*UPSTREAM_KEYS, "norm_fastlayer_input") if key in values})
    except StrictDataclassError as fault:
        reason = " ".join(str(fault).split())  # it comes in lines
        raise CorruptFile(f"{path}: {reason}", expected="the values of a fish-speech model", remedy=REMEDY) from fault
    extras = folder / "kaiku.json"
    if extras.exists():
        config.codebook_sizes = _read_codebook_sizes(extras, config.num_codebooks)
    return config


def _read_codebook_sizes(path: Path, codebooks: int) -> list[int]:
    sizes = read_object(path).get("codebook_sizes")
    if not isinstance(sizes, list) or len(sizes) != codebooks or not all(isinstance(size, int) for size in sizes):
        raise CorruptFile(
            f"{path}: codebook_sizes {sizes!r}", expected=f"{codebooks} whole numbers (config.json)", remedy=REMEDY
        )
    return sizes


def write_config(config: DualARConfig, folder: Path) -> None:
    """Write config.json with exactly upstream's keys, and kaiku.json with what upstream's code has as constants."""
    keys = [*UPSTREAM_KEYS, "norm_fastlayer_input"] if config.norm_fastlayer_input else UPSTREAM_KEYS
    atomic.write_json(folder / "config.json", {key: getattr(config, key) for key in keys})
    atomic.write_json(folder / "kaiku.json", {"codebook_sizes": list(config.codebook_sizes)})
