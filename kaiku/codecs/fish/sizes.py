"""The sizes of the codec: those of openaudio-s1-mini, or what upstream's `codec_config.yaml` says."""

from math import prod
from pathlib import Path
from typing import Any

import yaml

from kaiku.errors import KaikuError
from kaiku.store.atomic import write_text
from kaiku.strict import Strict

CONFIG = "codec_config.yaml"
ENCODER_WINDOW = 512  # upstream writes this one into its code
ENCODER_WIDENING = 3  # and the encoder's feed-forward width, as a multiple of its channels


class TransformerSizes(Strict):
    """A stack of causal layers in which a position sees itself and the `window - 1` before it."""

    layers: int
    heads: int
    head_dim: int
    dim: int
    feed_forward_dim: int
    window: int
    rope_base: float = 10000.0
    norm_eps: float = 1e-5


class Sizes(Strict):
    """All sizes of one codec; the defaults are those of openaudio-s1-mini."""

    sample_rate: int = 44100
    encoder_dim: int = 64
    encoder_rates: tuple[int, ...] = (2, 4, 8, 8)
    encoder_transformer: TransformerSizes = TransformerSizes(
        layers=4, heads=16, head_dim=64, dim=1024, feed_forward_dim=3072, window=ENCODER_WINDOW
    )
    decoder_dim: int = 1536
    decoder_rates: tuple[int, ...] = (8, 8, 4, 2)
    downsample_rates: tuple[int, ...] = (2, 2)
    semantic_codes: int = 4096
    residual_codes: int = 1024
    residual_codebooks: int = 9
    codebook_dim: int = 8
    pre_module: TransformerSizes = TransformerSizes(
        layers=8, heads=16, head_dim=64, dim=1024, feed_forward_dim=3072, window=128
    )
    post_module: TransformerSizes = TransformerSizes(
        layers=8, heads=16, head_dim=64, dim=1024, feed_forward_dim=3072, window=128
    )

    @property
    def latent_dim(self) -> int:
        """Channels between encoder, quantiser and decoder; each encoder block doubles them."""
        return self.encoder_dim * 2 ** len(self.encoder_rates)

    @property
    def latent_hop(self) -> int:
        """Samples per latent position, before the quantiser makes frames of several."""
        return prod(self.encoder_rates)

    @property
    def hop(self) -> int:
        """Samples per frame of codes."""
        return self.latent_hop * prod(self.downsample_rates)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Codes in each book: the semantic one, then the residual ones."""
        return (self.semantic_codes,) + (self.residual_codes,) * self.residual_codebooks


def _tiny_transformer(window: int) -> TransformerSizes:
    return TransformerSizes(layers=1, heads=1, head_dim=32, dim=32, feed_forward_dim=48, window=window)


TINY = Sizes(
    encoder_dim=2,
    encoder_transformer=TransformerSizes(
        layers=1, heads=1, head_dim=32, dim=32, feed_forward_dim=32 * ENCODER_WIDENING, window=ENCODER_WINDOW
    ),
    decoder_dim=32,
    semantic_codes=64,
    residual_codes=32,
    residual_codebooks=3,
    pre_module=_tiny_transformer(8),
    post_module=_tiny_transformer(8),
)


def read_sizes(folder: Path) -> Sizes:
    """Sizes from upstream's hydra configuration in `folder`; those of openaudio-s1-mini where there is none."""
    path = folder / CONFIG
    if not path.exists():
        return Sizes()
    try:
        return _from_upstream(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as fault:
        raise KaikuError(
            f"{path}: {type(fault).__name__}: {fault}",
            expected="the codec configuration of fish-speech (modded_dac_vq.yaml)",
            remedy="Put upstream's file there; for openaudio-s1-mini itself none is needed",
        ) from fault


def write_sizes(folder: Path, sizes: Sizes) -> None:
    """Write `codec_config.yaml` in upstream's form."""
    write_text(folder / CONFIG, yaml.safe_dump(_to_upstream(sizes), sort_keys=False))


def _from_upstream(config: dict[str, Any]) -> Sizes:
    quantiser = config["quantizer"]
    general = config["transformer_general_config"]
    *early_layers, layers = config["encoder_transformer_layers"]
    if any(early_layers):
        raise ValueError(
            f"encoder_transformer_layers is {config['encoder_transformer_layers']}; only the last may be > 0"
        )
    dim = config["encoder_dim"] * 2 ** len(config["encoder_rates"])
    return Sizes(
        sample_rate=config["sample_rate"],
        encoder_dim=config["encoder_dim"],
        encoder_rates=tuple(config["encoder_rates"]),
        encoder_transformer=TransformerSizes(
            layers=layers,
            heads=dim // general["head_dim"],
            head_dim=general["head_dim"],
            dim=dim,
            feed_forward_dim=ENCODER_WIDENING * dim,
            window=ENCODER_WINDOW,
            rope_base=general["rope_base"],
            norm_eps=general["norm_eps"],
        ),
        decoder_dim=config["decoder_dim"],
        decoder_rates=tuple(config["decoder_rates"]),
        downsample_rates=tuple(quantiser["downsample_factor"]),
        semantic_codes=quantiser["semantic_codebook_size"],
        residual_codes=quantiser["codebook_size"],
        residual_codebooks=quantiser["n_codebooks"],
        codebook_dim=quantiser["codebook_dim"],
        pre_module=_transformer_from_upstream(quantiser["pre_module"]),
        post_module=_transformer_from_upstream(quantiser["post_module"]),
    )


def _transformer_from_upstream(module: dict[str, Any]) -> TransformerSizes:
    config = module["config"]
    if config["n_local_heads"] not in (-1, config["n_head"]):
        raise ValueError(f"n_local_heads is {config['n_local_heads']}; shared key heads are not known in this codec")
    if module["input_dim"] != config["dim"]:
        raise ValueError(f"input_dim is {module['input_dim']} and dim {config['dim']}; they must be equal")
    return TransformerSizes(
        layers=config["n_layer"],
        heads=config["n_head"],
        head_dim=config["head_dim"],
        dim=config["dim"],
        feed_forward_dim=config["intermediate_size"],
        window=module["window_size"],
        rope_base=config["rope_base"],
        norm_eps=config["norm_eps"],
    )


def _to_upstream(sizes: Sizes) -> dict[str, Any]:
    encoder = sizes.encoder_transformer
    return {
        "sample_rate": sizes.sample_rate,
        "encoder_dim": sizes.encoder_dim,
        "encoder_rates": list(sizes.encoder_rates),
        "encoder_transformer_layers": [0] * (len(sizes.encoder_rates) - 1) + [encoder.layers],
        "transformer_general_config": {
            "head_dim": encoder.head_dim,
            "rope_base": encoder.rope_base,
            "norm_eps": encoder.norm_eps,
        },
        "decoder_dim": sizes.decoder_dim,
        "decoder_rates": list(sizes.decoder_rates),
        "quantizer": {
            "input_dim": sizes.latent_dim,
            "n_codebooks": sizes.residual_codebooks,
            "codebook_size": sizes.residual_codes,
            "codebook_dim": sizes.codebook_dim,
            "semantic_codebook_size": sizes.semantic_codes,
            "downsample_factor": list(sizes.downsample_rates),
            "pre_module": _transformer_to_upstream(sizes.pre_module),
            "post_module": _transformer_to_upstream(sizes.post_module),
        },
    }


def _transformer_to_upstream(sizes: TransformerSizes) -> dict[str, Any]:
    return {
        "window_size": sizes.window,
        "input_dim": sizes.dim,
        "config": {
            "n_layer": sizes.layers,
            "n_head": sizes.heads,
            "n_local_heads": -1,
            "head_dim": sizes.head_dim,
            "dim": sizes.dim,
            "intermediate_size": sizes.feed_forward_dim,
            "rope_base": sizes.rope_base,
            "norm_eps": sizes.norm_eps,
        },
    }
