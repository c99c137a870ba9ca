"""Batches of clips of like length: a pure function of seed and batch number, so that any step can be begun at."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from kaiku.families import Family, Sentence

LIBRARIES = ("numpy", "torch")


class Mix:
    """Which clips each epoch holds, where those of some corpora are heard more or less often than once.

    corpora: of each clip; weights: by corpus, 1 where it is not named. A corpus of n clips and weight w gives every
    epoch n * w clips, rounded up: the next so many in an endless row that goes through its clips, in an order of the
    seed, over and over. So how often its clips were heard never differs by more than one; at 0.5 two epochs hear all.
    """

    def __init__(self, corpora: Sequence[str], weights: Mapping[str, float], seed: int):
        names = np.array(corpora)
        order = np.random.default_rng([seed, 0, 1]).permutation(len(names))  # no epoch's: theirs are [seed, epoch]
        rows = {corpus: order[names[order] == corpus] for corpus in sorted(set(corpora))}
        self._rows = [(row, _clips_per_epoch(len(row), weights.get(corpus, 1))) for corpus, row in rows.items()]
        self.clips = sum(count for _, count in self._rows)

    def epoch(self, number: int) -> np.ndarray:
        """Indices of the clips that epoch `number` holds, one as often as it is heard: int [clips]."""
        places = [np.arange(number * count, (number + 1) * count) % len(row) for row, count in self._rows]
        return np.concatenate([row[place] for (row, _), place in zip(self._rows, places, strict=True)])


def _clips_per_epoch(clips: int, weight: float) -> int:
    return math.ceil(round(clips * weight, 6))  # 100 * 0.07 is 7.000000000000001


def epoch_batches(
    lengths: np.ndarray,
    *,
    batch_size: int,
    bucket_batches: int,
    seed: int,
    epoch: int,
    heard: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Indices of the clips of one epoch, in batches of like length and in its order.

    lengths: positions per clip. heard: clips of the epoch, one as often as it is heard; None: each once. Clips are
    shuffled, sorted by length within buckets of `bucket_batches` batches, and the batches are shuffled. Where a bucket
    holds a clip k times, each k batches are dealt out together, so that none holds it twice unless fewer are left.
    The longest batch opens epoch 0: if memory does not suffice, it shows at once.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths) if heard is None else heard)
    bucket_size = batch_size * bucket_batches
    batches = []
    for start in range(0, len(order), bucket_size):
        bucket = order[start : start + bucket_size]
        _, first, clip = np.unique(bucket, return_index=True, return_inverse=True)
        bucket = bucket[np.lexsort((first[clip], -lengths[bucket]))]
        dealt = batch_size * int(np.bincount(clip).max())
        for begin in range(0, len(bucket), dealt):
            group = bucket[begin : begin + dealt]
            count = -(-len(group) // batch_size)
            batches += [group[i::count] for i in range(count)]
    batches = [batches[i] for i in rng.permutation(len(batches))]
    if epoch == 0:
        longest = max(range(len(batches)), key=lambda i: int(lengths[batches[i]].max()) * len(batches[i]))
        batches.insert(0, batches.pop(longest))
    return batches


def noise_generator(seed: int, number: int) -> torch.Generator:
    """The generator of input noise for batch `number`, independent of every other batch."""
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)  # manual_seed takes a signed 64-bit number


class Batches:
    """The endless row of training batches by number; epochs follow one another without a seam."""

    def __init__(
        self,
        family: Family,
        sentences: Sequence[Sentence],
        lengths: np.ndarray,
        *,
        batch_size: int,
        bucket_batches: int,
        seed: int,
        mix: Mix | None = None,
    ):
        self.family, self.sentences, self.lengths, self.mix = family, sentences, lengths, mix
        self.batch_size, self.bucket_batches, self.seed = batch_size, bucket_batches, seed
        self.per_epoch = -(-(mix.clips if mix else len(sentences)) // batch_size)
        self._epoch: tuple[int, list[np.ndarray]] | None = None

    def indices(self, number: int) -> np.ndarray:
        """Which sentences batch `number` holds."""
        epoch, place = divmod(number, self.per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            batches = epoch_batches(
                self.lengths,
                batch_size=self.batch_size,
                bucket_batches=self.bucket_batches,
                seed=self.seed,
                epoch=epoch,
                heard=self.mix.epoch(epoch) if self.mix else None,
            )
            self._epoch = epoch, batches
        return self._epoch[1][place]

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """Batch `number` as the family collates it, with its own noise."""
        examples = [self.family.example(self.sentences[i]) for i in self.indices(number)]
        return self.family.collate(examples, noise_generator(self.seed, number))


def evaluation_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Indices of all clips, longest first, in batches: one fixed order for every evaluation."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
