"""What a folder with a checkpoint is, by its files: who reads it, and what it lacks. No weights are read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku.adoption import Geometry
from kaiku.codecs.fish import LICENCE as FISH_LICENCE
from kaiku.errors import KaikuError

WEIGHTS = ("model.safetensors", "model.pth")
TOKENIZERS = ("tokenizer.tiktoken", "byte_tokenizer.json")
FOREIGN = {
    "csm": "Sesame's CSM",
    "llama": "a text model (Llama)",
    "mimi": "Mimi, a codec; a base is a speech model",
    "moshi": "Moshi",
    "qwen3": "a text model (Qwen 3)",
    "vits": "VITS",
    "whisper": "Whisper, a recogniser",
    "xtts": "XTTS",
}
"""Kinds of models by their `model_type`, of which no run starts; so that the refusal can name them."""


@dataclass(frozen=True)
class Base:
    """A checkpoint that runs start from. name: what the configuration calls it; geometry: of its codec's tokens."""

    path: Path
    name: str
    family: str
    codec: str
    licence: str
    geometry: Geometry


def recognise(path: Path, licence: str = "") -> Base:
    """The base model in a folder; KaikuError that says what was found instead, or which files it lacks."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "is not there"
        raise KaikuError(
            f"BASE={path} {what}",
            expected="the folder of a checkpoint, as openaudio-s1-mini: config.json, weights, tokenizer, codec.pth",
            remedy="Mend BASE=, or leave it out: data can be prepared without.",
        )
    kind = _config(path).get("model_type")
    if kind != "dual_ar":
        raise KaikuError(
            f"BASE={path}: {_what(path, kind)}",
            expected="a dual-AR checkpoint of fish-speech (`model_type: dual_ar`), as openaudio-s1-mini",
            remedy="Take such a one, or leave BASE= out: data can be prepared without.",
        )
    if _config(path).get("tie_word_embeddings"):
        raise KaikuError(
            f"BASE={path}: a checkpoint of the S2 generation (tied word embeddings)",
            expected="one of the S1 generation, as openaudio-s1-mini",
        )
    wanted = {
        " or ".join(WEIGHTS): WEIGHTS,
        " or ".join(TOKENIZERS): TOKENIZERS,
        "codec.pth (the codec's weights)": ("codec.pth",),
    }
    lacking = [name for name, names in wanted.items() if not any(_holds(path / one) for one in names)]
    if lacking:
        raise KaikuError(
            f"BASE={path} is a dual-AR checkpoint without {', without '.join(lacking)}",
            expected="a whole copy of openaudio-s1-mini",
            remedy="Fetch what is missing, from where the rest came.",
        )
    geometry, books = _geometry(path), _config(path).get("num_codebooks")
    if books is not None and books != len(geometry.codebook_sizes):
        raise KaikuError(
            f"BASE={path}: the model speaks {books} codebooks, its codec has {len(geometry.codebook_sizes)}",
            expected="model and codec of one checkpoint; sizes of a codec other than s1-mini's in codec_config.yaml",
            remedy="Put the codec.pth there that belongs to the model.",
        )
    return Base(path, _name(path), "fish", "fish", licence or FISH_LICENCE, geometry)


def _geometry(path: Path) -> Geometry:
    from kaiku.codecs.fish.sizes import read_sizes

    sizes = read_sizes(path)
    return Geometry(sizes.codebook_sizes, sizes.hop, sizes.sample_rate)


def _config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KaikuError(f"BASE={path}: its config.json cannot be read ({error})", remedy="Fetch it again.") from error
    if not isinstance(found, dict):
        raise KaikuError(f"BASE={path}: its config.json holds no JSON object", remedy="Fetch it again.")
    return found


def _what(path: Path, kind: Any) -> str:
    """What a folder that is no base seems to be."""
    names = sorted(one.name for one in path.iterdir())
    if kind or _config(path).get("model") == "xtts":
        kind = kind or "xtts"
        known = FOREIGN.get(kind) if isinstance(kind, str) else None
        return f"model_type {kind!r}" + (f", which is {known}" if known else "")
    if "adapter_config.json" in names:
        return "an adapter without the model that it was trained on"
    if "codec.pth" in names or "encoder.safetensors" in names:
        return "a codec without a model"
    if not names:
        return "the folder is empty"
    return f"no config.json; it holds {', '.join(names[:5])}" + (", ..." if len(names) > 5 else "")


def _holds(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _name(path: Path) -> str:
    """The folder's name as a name in a configuration."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in path.absolute().name.lower())
    return "-".join(filter(None, kept.split("-"))) or "base"
