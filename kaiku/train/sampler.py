"""Batches of clips of like length: a pure function of seed and batch number, so that any step can be begun at."""

from collections.abc import Sequence

import numpy as np
import torch

from kaiku.families import Family, Sentence

LIBRARIES = ("numpy", "torch")


def epoch_batches(
    lengths: np.ndarray, *, batch_size: int, bucket_batches: int, seed: int, epoch: int
) -> list[np.ndarray]:
    """Indices of all clips, each once, in batches of like length and in the order of one epoch.

    lengths: positions per clip. Clips are shuffled, sorted by length within buckets of `bucket_batches` batches, and
    the batches are shuffled. The longest batch opens epoch 0: if memory does not suffice, it shows at once.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    bucket_size = batch_size * bucket_batches
    batches = []
    for start in range(0, len(order), bucket_size):
        bucket = order[start : start + bucket_size]
        bucket = bucket[np.argsort(-lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
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
    ):
        self.family, self.sentences, self.lengths = family, sentences, lengths
        self.batch_size, self.bucket_batches, self.seed = batch_size, bucket_batches, seed
        self.per_epoch = -(-len(sentences) // batch_size)
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
