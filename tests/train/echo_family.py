"""A causal model over frames in a few lines: a family as small as the contract allows, and trainings of seconds."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from kaiku.strict import Strict
from kaiku.train.fit import TrainSpec
from kaiku.train.settings import LoraSettings, TrainSettings

torch.set_num_threads(1)

SIZES = (12, 7)


@dataclass(frozen=True)
class Sentence:
    speaker: str
    text: str
    codes: np.ndarray


@dataclass(frozen=True)
class Example:
    codes: torch.Tensor  # [T, K]
    length: int


class EchoConfig(PretrainedConfig):
    model_type = "echo"
    sizes: list | tuple = SIZES


class Echo(PreTrainedModel):
    """Predicts each frame from the mean of all before it."""

    config_class = EchoConfig

    def __init__(self, config):
        super().__init__(config)
        width = 16
        self.embeddings = nn.ModuleList(nn.Embedding(n, width) for n in config.sizes)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleList(nn.Linear(width, n) for n in config.sizes)
        self.post_init()

    def forward(self, codes):  # [B, T, K] -> K times [B, T, n]
        x = sum(e(codes[..., k]) for k, e in enumerate(self.embeddings))
        x = x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        x = x + self.dropout(torch.tanh(self.mix(x)))
        return [head(x) for head in self.heads]


class EchoSettings(Strict):
    noise: float = 0.2


class EchoFamily:
    """The contract, and levers by which tests make it misbehave."""

    name = "echo"
    lora_targets = r"mix|heads\.\d+|embeddings\.\d+"

    def __init__(self, settings=None):
        self.settings = settings or EchoSettings()
        self.before_loss = lambda model: None

    def load_base(self, path, dtype):
        return Echo.from_pretrained(path, dtype=dtype)

    def new_base(self, settings, codebook_sizes, seed, folder):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            Echo(EchoConfig(sizes=list(codebook_sizes))).save_pretrained(folder)

    def example(self, sentence, features=None):
        codes = torch.from_numpy(sentence.codes.astype(np.int64))
        return Example(codes, len(codes))

    def collate(self, examples, generator=None):
        length = max(e.length for e in examples)
        targets = torch.full((len(examples), length, len(SIZES)), -100)
        for i, e in enumerate(examples):
            targets[i, : e.length] = e.codes
        inputs = targets.clamp(min=0)
        if generator is not None:
            noisy = torch.rand(inputs.shape[:2], generator=generator) < self.settings.noise
            inputs = torch.where(noisy[..., None], 0, inputs)
        targets[..., 1] = torch.where(targets[..., 0] % 3 == 0, targets[..., 1], -100)  # the parts' counts differ
        return {"inputs": inputs[:, :-1], "targets": targets[:, 1:]}

    def loss(self, model, batch):
        self.before_loss(model)
        logits = model(batch["inputs"])
        parts = {}
        for k, part in enumerate(("first", "second")):
            target = batch["targets"][..., k]
            total = F.cross_entropy(logits[k].transpose(1, 2), target, ignore_index=-100, reduction="sum")
            parts[part] = total, (target != -100).sum()
        return parts

    def counts(self, batch):
        return {part: int((batch["targets"][..., k] != -100).sum()) for k, part in enumerate(("first", "second"))}

    def merge(self, model):
        return model.merge_and_unload(safe_merge=True)

    def export(self, model, folder):
        model.save_pretrained(folder)


def make_sentences(count, seed):
    """Random walks, 3 to 20 frames: something there is to learn."""
    rng = np.random.default_rng(seed)
    sentences = []
    for i in range(count):
        steps = rng.integers(0, 3, size=(int(rng.integers(3, 21)), 1)).cumsum(0)
        sentences.append(Sentence("a", f"sentence {i}", (steps % np.array(SIZES)).astype(np.uint16)))
    return sentences


SETTINGS = TrainSettings(
    max_steps=12,
    batch_size=3,
    accumulate=2,
    learning_rate=1e-2,
    warmup_steps=2,
    bucket_batches=2,
    eval_every=2,
    save_every=4,
    keep=2,
    device="cpu",
)


def make_spec(folder: Path, base: Path | None, name: str = "run", **changes) -> TrainSpec:
    """A short training with dropout, noise, accumulation and several epochs; state and output under `folder`."""
    settings = SETTINGS.model_copy(update=changes.pop("settings", {}))
    spec = TrainSpec(
        family=EchoFamily(),
        family_settings=EchoSettings(),
        base=base,
        codebook_sizes=SIZES,
        train=make_sentences(17, seed=1),
        val=make_sentences(5, seed=2),
        settings=settings,
        lora=LoraSettings(r=2, alpha=4, dropout=0.1),
        key="a" * 32,
        key_parts={"train": {"learning_rate": settings.learning_rate}, "data": "d1"},
        state=folder / f"{name}-state",
        out=folder / f"{name}-out",
    )
    return replace(spec, **changes)
