"""Bits per frame on examples small enough to be counted by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from kaiku.errors import CorruptFile, KaikuError
from kaiku.metrics.likelihood import model_bits, uniform_bits, unigram_bits, wrong_text_gap, wrong_texts


@dataclass(frozen=True)
class Said:
    speaker: str
    text: str
    codes: np.ndarray


def said(text, *frames):
    return Said("aino", text, np.array(frames, np.uint16))


def test_unigram_of_counted_codes():
    train = [said("a", [0, 0], [0, 1], [1, 0])]
    heldout = [said("b", [0, 0], [1, 3])]
    bits = unigram_bits(train, heldout, (2, 4))
    # Level 0: counts 2+1, 1+1 of 5. Level 1: counts 2+1, 1+1, 0+1, 0+1 of 7.
    level_0 = -(np.log2(3 / 5) + np.log2(2 / 5)) / 2
    level_1 = -(np.log2(3 / 7) + np.log2(1 / 7)) / 2
    assert bits.levels == pytest.approx((level_0, level_1))
    assert bits.total == pytest.approx(level_0 + level_1)
    assert bits.frames == 2
    assert uniform_bits((2, 4)) == 3.0


def test_codes_beyond_the_codebook_are_refused():
    with pytest.raises(CorruptFile, match="pack again"):
        unigram_bits([said("a", [5])], [said("b", [0])], (4,))
    with pytest.raises(KaikuError, match="No frame"):
        unigram_bits([], [said("b", [0])], (4,))


class Speller(torch.nn.Module):
    """A model that gives the code named by the text's letter probability `sure`, and shares the rest evenly."""

    def __init__(self, sure, size):
        super().__init__()
        self.sure, self.size = torch.nn.Parameter(torch.tensor(sure, dtype=torch.float64)), size


class SpellingFamily:
    """Text "2" stands for code 2 on level 0; level 1 is uniform over two codes."""

    def example(self, sentence):
        return {"expected": int(sentence.text), "codes": sentence.codes.astype(np.int64)}

    def collate(self, examples, generator=None):
        assert generator is None, "measuring takes no input noise"
        return {
            "expected": torch.tensor([e["expected"] for e in examples for _ in e["codes"]]),
            "codes": torch.from_numpy(np.concatenate([e["codes"] for e in examples])),
        }

    def levels(self, model, batch):
        assert not model.training, "measuring takes no dropout"
        right = batch["codes"][:, 0] == batch["expected"]
        first = -torch.where(right, model.sure.log(), ((1 - model.sure) / (model.size - 1)).log()).sum()
        frames = len(right)
        return {"level_0": (first, frames), "level_1": (torch.tensor(frames * np.log(2)), frames)}


HELDOUT = [said("0", [0, 0], [0, 1]), said("1", [1, 0]), said("2", [2, 1], [2, 0], [2, 0])]


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_loss_of_a_model_in_bits(batch):
    model = Speller(0.5, 4).train()
    bits = model_bits(SpellingFamily(), model, HELDOUT, batch=batch)
    assert bits.levels == pytest.approx((1.0, 1.0))
    assert bits.frames == 6
    assert model.training, "left as it was found"


def test_gap_of_a_wrong_text():
    family, model = SpellingFamily(), Speller(0.5, 4)
    right = model_bits(family, model, HELDOUT)
    # Every text now names another code, which was given (1 - 1/2) / 3: log2(6) bits instead of 1.
    assert wrong_text_gap(family, model, HELDOUT, right) == pytest.approx(np.log2(6) - 1)


def test_no_text_meets_itself_in_any_order():
    texts = ["a", "b", "b", "c", "b", "d"]
    wrong = wrong_texts(texts)
    assert sorted(wrong) == sorted(texts)
    assert all(mine != other for mine, other in zip(texts, wrong))
    shuffled = [3, 0, 5, 1, 2, 4]
    again = wrong_texts([texts[i] for i in shuffled])
    assert sorted(zip([texts[i] for i in shuffled], again)) == sorted(zip(texts, wrong))


@pytest.mark.parametrize("texts", [["a"], ["a", "a"], ["a", "a", "a", "b"]])
def test_texts_that_cannot_be_exchanged(texts):
    with pytest.raises(KaikuError, match="say the same"):
        wrong_texts(texts)
