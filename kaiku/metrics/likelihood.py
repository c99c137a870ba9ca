"""How well a model predicts held-out codes, in bits per frame: with the right text, with a wrong one, beside a unigram.

A loss alone proves little: a model that ignores the text can still fall a quarter below the unigram. The gap says
whether the text is used, the ratio how much of the codes is explained.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Family, Sentence
from kaiku.store import digest

LIBRARIES = ("torch", "transformers")

LEVEL = "level_"  # families count the end of sentences apart from the codebooks
UNIGRAM_SMOOTHING = 1.0  # one phantom count per code: one that training never used costs many bits, not infinity


@dataclass(frozen=True)
class Bits:
    """Mean bits per frame: `levels` by codebook, `total` their sum, over `frames` frames."""

    levels: tuple[float, ...]
    frames: int

    @property
    def total(self) -> float:
        return math.fsum(self.levels)


def unigram_bits(train: Sequence[Sentence], heldout: Sequence[Sentence], codebook_sizes: Sequence[int]) -> Bits:
    """Cross-entropy of the held-out codes under the add-one smoothed unigram of the training codes, per level.

    What a model reaches that knows how often each code is used and nothing else: the "1" of `loss / unigram`. Unlike
    the plug-in entropy of the held-out codes it is not biased downwards where frames are few.
    """
    known, unknown = _frames(train, codebook_sizes), _frames(heldout, codebook_sizes)  # [frames, codebooks]
    levels = []
    for level, size in enumerate(codebook_sizes):
        counts = np.bincount(known[:, level], minlength=size) + UNIGRAM_SMOOTHING  # [size]
        bits = -np.log2(counts / counts.sum())
        levels.append(float(bits[unknown[:, level]].mean()))
    return Bits(tuple(levels), len(unknown))


def uniform_bits(codebook_sizes: Sequence[int]) -> float:
    """Bits per frame of a model that knows the sizes of the codebooks only."""
    return math.fsum(math.log2(size) for size in codebook_sizes)


def model_bits(family: Family, model: Any, sentences: Sequence[Sentence], *, batch: int = 8) -> Bits:
    """Loss of a model on sentences, in bits per frame and level; no dropout, no input noise.

    Sentences go longest last, so that a batch holds little padding; the mean does not depend on it.
    """
    import torch

    if not sentences:
        raise KaikuError("No sentence to measure the loss on", expected="a held-out split with at least one sentence")
    nats: dict[str, float] = defaultdict(float)
    frames: dict[str, int] = defaultdict(int)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for part in _batches(sorted(sentences, key=lambda s: (len(s.codes), s.text, s.speaker)), batch):
            parts = family.levels(model, family.collate([family.example(sentence) for sentence in part]))
            for level, (total, count) in parts.items():
                if level.startswith(LEVEL):
                    nats[level] += float(total)
                    frames[level] += count
    model.train(was_training)
    return Bits(tuple(nats[level] / frames[level] / math.log(2) for level in nats), max(frames.values()))


def wrong_text_gap(family: Family, model: Any, sentences: Sequence[Sentence], right: Bits, *, batch: int = 8) -> float:
    """Extra bits per frame when every sentence is given another sentence's text; `right` is the loss with its own."""
    mismatched = [replace(s, text=text) for s, text in zip(sentences, wrong_texts([s.text for s in sentences]))]
    return model_bits(family, model, mismatched, batch=batch).total - right.total


def wrong_texts(texts: Sequence[str]) -> list[str]:
    """For each text another one of them, each used as often as it stands there; equal for any order of the input.

    Texts are ordered by digest, equal ones side by side, and each takes the one that stands m places on, where m is the
    size of the largest group of equal texts: it can then never meet its own.
    """
    order = sorted(range(len(texts)), key=lambda i: (digest.of_bytes(texts[i].encode()), texts[i]))
    largest = max(Counter(texts).values(), default=0)
    if len(texts) < 2 or 2 * largest > len(texts):
        raise KaikuError(
            f"{largest} of {len(texts)} sentences say the same",
            expected="at most half of them, to exchange their texts",
        )
    wrong = [""] * len(texts)
    for place, i in enumerate(order):
        wrong[i] = texts[order[(place + largest) % len(order)]]
    return wrong


def _frames(sentences: Sequence[Sentence], codebook_sizes: Sequence[int]) -> np.ndarray:
    """The codes of all sentences end to end, int64 [frames, codebooks], each below the size of its codebook."""
    if not sum(len(s.codes) for s in sentences):
        raise KaikuError("No frame to count codes in", expected="at least one sentence in each split")
    codes = np.concatenate([np.asarray(s.codes, np.int64) for s in sentences])
    if codes.shape[1] != len(codebook_sizes) or (codes.max(axis=0) >= np.asarray(codebook_sizes)).any():
        raise CorruptFile(
            f"Codes of {codes.shape[1]} codebooks with highest codes {codes.max(axis=0).tolist()}",
            expected=f"codebooks of {list(codebook_sizes)} codes",
            remedy="The pack was made with another codec: pack again.",
        )
    return codes


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
