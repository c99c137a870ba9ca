"""Batches by length: whole epochs, any order of access, noise by number, corpora heard more or less often."""

import hashlib

import numpy as np
import pytest
import torch
from echo_family import EchoFamily, make_sentences

from kaiku.train.sampler import Batches, Mix, epoch_batches, evaluation_batches, noise_generator

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


@pytest.mark.parametrize(
    ("epoch", "golden"), [(0, "a644aaf3fc53f8c7"), (1, "96e1ad7f1d5009ae"), (7, "12b4a9d8d0747e93")]
)
@pytest.mark.parametrize("heard", [None, np.arange(403)], ids=["no mix", "each once"])
def test_without_a_mix_the_order_is_what_it_always_was(epoch, golden, heard):
    batches = epoch_batches(LENGTHS, epoch=epoch, heard=heard, **SHAPE)
    sizes = np.array(list(map(len, batches)), np.int64)
    order = np.concatenate(batches).astype(np.int64)
    assert hashlib.sha256(order.tobytes() + sizes.tobytes()).hexdigest()[:16] == golden


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


CORPORA = [name for name, count in (("aino", 10), ("otso", 7), ("vctk", 386)) for _ in range(count)]


def times_heard(weights, epochs, seed=4):
    mix = Mix(CORPORA, weights, seed)
    counts = sum(np.bincount(mix.epoch(epoch), minlength=len(CORPORA)) for epoch in epochs)
    return {corpus: counts[np.array(CORPORA) == corpus].tolist() for corpus in ("aino", "otso", "vctk")}


def test_a_corpus_is_heard_as_often_as_its_weight_says():
    heard = times_heard({"aino": 2, "otso": 0.5}, range(1))
    assert heard["aino"] == [2] * 10 and heard["vctk"] == [1] * 386
    assert sum(heard["otso"]) == 4 and max(heard["otso"]) == 1, "half of seven, rounded up"
    assert times_heard({"aino": 0.5}, range(2))["aino"] == [1] * 10, "the other half in the next epoch"
    assert times_heard({"aino": 0.5}, [0])["aino"] != times_heard({"aino": 0.5}, [1])["aino"]
    assert times_heard({"aino": 1.5}, range(1))["aino"].count(2) == 5
    assert times_heard({"aino": 1.5}, range(2))["aino"] == [3] * 10
    assert times_heard({"aino": 0.1}, range(10))["aino"] == [1] * 10
    assert sum(times_heard({"vctk": 0.07}, range(1))["vctk"]) == 28


def test_what_a_mix_takes_is_a_function_of_seed_and_epoch():
    first, again, other = (Mix(CORPORA, {"vctk": 0.3}, seed) for seed in (4, 4, 5))
    first.epoch(0)
    assert first.epoch(9).tolist() == again.epoch(9).tolist() != other.epoch(9).tolist()
    assert {len(first.epoch(epoch)) for epoch in range(9)} == {first.clips}


@pytest.mark.parametrize("weight", [2, 3.5])
def test_no_batch_holds_a_clip_twice(weight):
    lengths = np.array([100, 100, 100, 50, *[20] * 399])  # of one length in whatever order
    mix = Mix(CORPORA, {"aino": weight, "vctk": 0.5}, seed=4)
    for epoch in range(3):
        batches = epoch_batches(lengths, epoch=epoch, heard=mix.epoch(epoch), **SHAPE)
        assert all(len(set(batch)) == len(batch) for batch in batches)
        assert len(batches) == -(-mix.clips // 8) and max(map(len, batches)) == 8


def test_mixed_batches_hold_clips_of_like_length():
    mix = Mix(["a"] * 203 + ["b"] * 200, {"a": 2}, seed=4)
    batches = epoch_batches(LENGTHS, batch_size=8, bucket_batches=50, seed=4, epoch=1, heard=mix.epoch(1))
    assert 1 - LENGTHS[mix.epoch(1)].sum() / sum(int(LENGTHS[b].max()) * len(b) for b in batches) < 0.05


def test_any_mixed_batch_can_be_taken_first():
    def mixed():
        batches = make_batches()
        mix = Mix(["a"] * 5 + ["b"] * 12, {"a": 2, "b": 0.5}, seed=6)
        return Batches(
            batches.family, batches.sentences, batches.lengths, batch_size=3, bucket_batches=2, seed=6, mix=mix
        )

    straight, jumping = mixed(), mixed()
    assert straight.per_epoch == 6, "10 + 6 clips"
    expected = [straight.indices(number).tolist() for number in range(24)]
    assert [jumping.indices(number).tolist() for number in range(23, -1, -1)] == expected[::-1]
    counts = np.bincount(np.concatenate(expected[:12]), minlength=17)
    assert counts.tolist() == [4] * 5 + [1] * 12


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
