"""Batches by length: whole epochs, any order of access, noise by number."""

import numpy as np
import pytest
import torch
from echo_family import EchoFamily, make_sentences

from kaiku.train.sampler import Batches, epoch_batches, evaluation_batches, noise_generator

LENGTHS = np.random.default_rng(0).integers(5, 200, size=403)
SHAPE = {"batch_size": 8, "bucket_batches": 10, "seed": 4}


@pytest.mark.parametrize("epoch", [0, 1, 7])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 403])
def test_an_epoch_holds_every_clip_once(epoch, count):
    batches = epoch_batches(LENGTHS[:count], epoch=epoch, **SHAPE)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert len(batches) == -(-count // 8)
    assert max(map(len, batches)) <= 8


def test_order_is_a_function_of_seed_and_epoch():
    def order(**changes):
        return np.concatenate(epoch_batches(LENGTHS, **SHAPE | {"epoch": 2} | changes)).tolist()

    assert order() == order()
    assert order() != order(epoch=3)
    assert order() != order(seed=5)


def test_batches_hold_clips_of_like_length():
    def padding(bucket_batches):
        batches = epoch_batches(LENGTHS, batch_size=8, bucket_batches=bucket_batches, seed=4, epoch=1)
        return 1 - LENGTHS.sum() / sum(int(LENGTHS[b].max()) * len(b) for b in batches)

    assert padding(bucket_batches=50) < 0.05
    assert padding(bucket_batches=1) > 0.3


def test_the_longest_batch_opens_the_first_epoch():
    first = epoch_batches(LENGTHS, epoch=0, **SHAPE)[0]
    assert LENGTHS[first].max() == LENGTHS.max()


def make_batches():
    sentences = make_sentences(17, seed=1)
    lengths = np.array([len(s.codes) for s in sentences])
    return Batches(EchoFamily(), sentences, lengths, batch_size=3, bucket_batches=2, seed=6)


def test_any_batch_can_be_taken_first():
    straight, jumping = make_batches(), make_batches()
    numbers = list(range(20))
    expected = [straight[n] for n in numbers]
    for n in [19, 3, 11, 0, 7, 6]:
        found = jumping[n]
        assert all(torch.equal(found[name], expected[n][name]) for name in expected[n])


def test_epochs_follow_without_a_seam():
    batches = make_batches()
    assert batches.per_epoch == 6
    for epoch in range(3):
        seen = np.concatenate([batches.indices(epoch * 6 + i) for i in range(6)])
        assert sorted(seen.tolist()) == list(range(17))


def test_noise_depends_on_seed_and_number_only():
    def draw(seed, number):
        return torch.rand(4, generator=noise_generator(seed, number)).tolist()

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(seed, number)) for seed in range(3) for number in range(3)}) == 9


def test_every_batch_has_noise_of_its_own():
    class Noise(EchoFamily):
        def collate(self, examples, generator=None):
            return torch.rand(4, generator=generator)

    batches = make_batches()
    batches.family = Noise()
    assert len({tuple(batches[number].tolist()) for number in range(20)}) == 20


def test_evaluation_holds_every_clip_longest_first():
    batches = evaluation_batches(LENGTHS, 8)
    order = np.concatenate(batches)
    assert sorted(order.tolist()) == list(range(403))
    assert LENGTHS[order].tolist() == sorted(LENGTHS.tolist(), reverse=True)
