"""Model families: one module each, found by its name; what every one of them promises.

A family module exposes `Settings` (Strict), `LIBRARIES`, `load(settings) -> Family` and `tiny(folder) -> Path`, which
writes a small random base checkpoint in upstream's layout that `load_base` reads.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from kaiku.strict import Strict

Parts = dict[str, tuple[Any, int]]  # name -> (sum of the loss as a tensor, count): sums add up over batches and ranks


class Sentence(Protocol):
    """What packs hold (`kaiku.store.protos.Sentence`); codes: uint16 [frames, codebooks]."""

    speaker: str
    text: str
    codes: np.ndarray


class Example(Protocol):
    """One clip as its family wants it; `length` is the number of positions, for batching by length."""

    length: int


class Limits(Strict):
    """How long and how freely a model may speak."""

    max_frames: int = Field(1000, gt=0, description="frames after which generation stops, ended or not")
    chunk_frames: int = Field(25, gt=0, description="frames per yielded chunk; changes no code")
    temperature: float = Field(0.6, gt=0, description="below 1: likelier codes more often")
    top_p: float = Field(0.9, gt=0, le=1, description="sample from the likeliest codes that hold this share")


class Generation:
    """Chunks of codes, uint16 [n, codebooks], as they are made; `ended` tells whether the model stopped by itself.

    `ended` is None until the last chunk has been taken.
    """

    def __init__(self, chunks: Iterator[np.ndarray]):
        self._chunks = chunks  # a generator that returns `ended`
        self.ended: bool | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        self.ended = yield from self._chunks

    def codes(self) -> np.ndarray:
        """All frames at once, uint16 [frames, codebooks]; zero frames where the model ended at once."""
        chunks = list(self)
        return np.concatenate(chunks) if chunks else np.zeros((0, 0), np.uint16)


class Family(Protocol):
    """What a language model over codec tokens offers to the trainer, the report and the server."""

    name: str
    lora_targets: str  # regex on module names, full match: never touches a codec inside the model
    features: tuple[str, ...]  # further per-clip artefacts it needs

    codebook_sizes: tuple[int, ...]  # codes in each codebook of the codec that the base speaks, once one is loaded

    def new_base(self, settings: Any, codebook_sizes: tuple[int, ...], seed: int, folder: Path) -> Path:
        """Write a fresh random base of the sizes in the settings, for a run that starts from nothing."""

    def load_base(self, path: Path, dtype: Any) -> Any:
        """The model from upstream's files as they are, never written to. Raises KaikuError where keys differ."""

    def example(self, sentence: Sentence, features: Mapping[str, np.ndarray] | None = None) -> Example:
        """One clip as ids and codes. Needs a base loaded before, whose tokenizer it uses."""

    def collate(self, examples: list[Example], generator: Any = None) -> dict[str, Any]:
        """A batch of CPU tensors, the model's keyword arguments; with a generator, with the training's input noise."""

    def loss(self, model: Any, batch: dict[str, Any]) -> Parts:
        """The parts of the loss as (sum with gradient, count), so that accumulation normalises each part exactly."""

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """The counts that `loss` of this batch returns, without a forward pass."""

    def levels(self, model: Any, batch: dict[str, Any]) -> Parts:
        """Cross-entropy in nats by codebook level, as (sum, count of frames), for the report."""

    def prompt(self, text: str, speaker: str = "") -> Any:
        """What `generate` continues: `text` to be spoken by `speaker`."""

    def generate(self, model: Any, prompt: Any, *, seed: int, limits: Limits) -> Generation:
        """Codes, sampled with a generator of the seed: same seed, same codes."""

    def speak(
        self, model: Any, codec: Any, text: str, *, voice: str = "", seed: int = 0, limits: Limits
    ) -> Iterator[np.ndarray]:
        """Audio, float32 [samples] at the codec's sample rate."""

    def merge(self, model: Any) -> Any:
        """The model with its adapters folded in: in fp32, cast last."""

    def export(self, model: Any, folder: Path) -> None:
        """Write a merged model in upstream's own layout, which `load_base` reads as well."""
