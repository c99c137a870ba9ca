"""The loss of a step, its schedule, and what a step that went wrong says."""

from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import torch
from disturbed import at_call
from echo_family import SETTINGS, EchoFamily, EchoSettings, make_sentences, make_spec

from kaiku.errors import KaikuError
from kaiku.train.arguments import learning_rate_share
from kaiku.train.curve import Curve, read_curve
from kaiku.train.run import train
from kaiku.train.sampler import Batches
from kaiku.train.settings import TrainSettings
from kaiku.train.trainer import SentenceTrainer, mean_loss


class NoKeeper:
    def __init__(self, folder):
        self.folder = folder

    @contextmanager
    def saving(self, step, seconds, curve):
        yield self.folder

    weights = saving

    def retain(self, curve, keep):
        pass


def make_trainer(folder, base, family=None, **changes):
    family = family or EchoFamily()
    settings = SETTINGS.model_copy(update=changes)
    sentences = make_sentences(17, seed=1)
    lengths = np.array([len(s.codes) for s in sentences])
    batches = Batches(family, sentences, lengths, batch_size=3, bucket_batches=2, seed=0)
    return SentenceTrainer(
        family,
        family.load_base(base, torch.float32).eval(),
        settings,
        batches,
        make_sentences(5, seed=2),
        NoKeeper(folder),
        Curve(folder / "curve.jsonl", []),
        should_stop=lambda: False,
    )


def test_two_passes_of_four_equal_one_of_eight(tmp_path, base):
    family = EchoFamily()
    trainer = make_trainer(tmp_path, base, family)
    examples = [family.example(s) for s in sorted(make_sentences(8, seed=5), key=lambda s: len(s.codes))]
    whole, halves = family.collate(examples, None), [family.collate(examples[i : i + 4], None) for i in (0, 4)]

    def gradients(passes, counts):
        trainer.model.eval().zero_grad()
        for batch, count in zip(passes, counts):
            trainer.compute_loss(trainer.model, batch, num_items_in_batch=count).backward()
        return torch.cat([p.grad.flatten() for p in trainer.model.parameters()])

    taken, counts = trainer.get_batch_samples(iter(halves), 2, torch.device("cpu"))
    assert taken == halves and counts == family.counts(whole)
    own = [family.counts(half) for half in halves]
    assert own[0]["second"] / own[0]["first"] != own[1]["second"] / own[1]["first"]
    expected = gradients([whole], [family.counts(whole)])
    torch.testing.assert_close(gradients(halves, [counts, counts]), expected, rtol=1e-5, atol=1e-7)
    averaged = gradients(halves, own) / 2
    assert (averaged - expected).abs().max() > 1e-3 * expected.abs().max()


def test_accumulation_gives_the_curve_of_one_large_batch(tmp_path, base):
    def rows(name, batch_size, accumulate):
        spec = make_spec(
            tmp_path,
            base,
            name,
            lora=None,
            family=EchoFamily(EchoSettings(noise=0.0)),
            train=make_sentences(8, seed=5),
            settings={"batch_size": batch_size, "accumulate": accumulate, "max_steps": 4},
        )
        spec.family.before_loss = lambda model: model.dropout.eval()
        train(spec)
        return read_curve(spec.out / "curve.jsonl")

    for one, two in zip(rows("one", 8, 1), rows("two", 4, 2), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)


def test_parts_are_means_over_their_own_targets():
    parts = {"a": (torch.tensor(6.0), 3), "b": (torch.tensor(5.0), torch.tensor(2)), "none": (torch.tensor(0.0), 0)}
    assert float(mean_loss(parts, {"a": 3, "b": 2, "none": 0})) == 6 / 3 + 5 / 2
    assert float(mean_loss(parts, {"a": 6, "b": 10, "none": 0})) == 6 / 6 + 5 / 10


def test_held_out_loss_is_the_mean_over_all_targets(tmp_path, base):
    family = EchoFamily()
    trainer = make_trainer(tmp_path, base, family)
    trainer.model.train()
    found = trainer.evaluate()  # without dropout
    everything = family.collate([family.example(s) for s in make_sentences(5, seed=2)], None)
    with torch.no_grad():
        expected = float(mean_loss(family.loss(trainer.model.eval(), everything), family.counts(everything)))
    assert found["val_loss"] == pytest.approx(expected, rel=1e-6)
    assert found["val_loss"] == pytest.approx(sum(found["val_parts"].values()))


def test_learning_rate_rises_and_falls_to_its_floor():
    settings = TrainSettings(max_steps=100, warmup_steps=10, floor_share=0.05)
    shares = [learning_rate_share(step, settings) for step in range(101)]
    assert shares[0] == 0.1 and shares[9] == 1.0 and shares[10] == 1.0
    assert all(later < earlier for earlier, later in pairwise(shares[10:]))
    assert shares[100] == pytest.approx(0.05)
    constant = settings.model_copy(update={"schedule": "constant"})
    assert {learning_rate_share(step, constant) for step in range(10, 101)} == {1.0}


def spoil_loss(model):
    with torch.no_grad():
        model.heads[0].lora_B["default"].weight.fill_(float("inf"))


def spoil_gradient(model):
    model.heads[0].lora_B["default"].weight.register_hook(lambda gradient: gradient * float("inf"))


@pytest.mark.parametrize(("spoil", "what"), [(spoil_loss, "loss"), (spoil_gradient, "gradient norm")])
def test_what_is_not_finite_stops_before_the_weights_are_spoiled(tmp_path, base, spoil, what):
    spec = make_spec(tmp_path, base)
    spec.family.before_loss = at_call(22, spoil)  # in the second pass of step 7
    with pytest.raises(KaikuError, match=rf"the {what} at step 7 of 12 is (nan|inf).*train.learning_rate \(0.01\)"):
        train(spec)
    assert not spec.out.exists()
    assert len(read_curve(spec.state / "current" / "curve.jsonl")) == 6
