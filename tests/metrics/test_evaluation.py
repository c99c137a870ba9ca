"""metrics.json of a model whose every figure can be worked out by hand."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from kaiku.codecs import env
from kaiku.errors import KaikuError
from kaiku.families import fish
from kaiku.metrics.evaluation import evaluate
from kaiku.metrics.judges import Judges
from kaiku.store.protos import Sentence
from kaiku.synthesis import Sample, SynthesisSettings, resynthesize, synthesize

LETTERS = 8


@dataclass(frozen=True)
class Said:
    speaker: str
    text: str
    codes: np.ndarray


def spelled(text):
    """Codes of a text of the letters a to h: five frames each, the second codebook always 0."""
    letters = np.repeat([ord(c) - ord("a") for c in text], 5)
    return np.stack([letters, np.zeros_like(letters)], axis=1).astype(np.uint16)  # [frames, 2]


def said(text):
    return Said("aino", text, spelled(text))


class Piano:
    """A codec that plays a tone per letter, 25 frames a second."""

    sample_rate, hop, codebook_sizes, decodes = 16_000, 640, (LETTERS, 2), True

    def decode(self, codes):
        hz = 300.0 * 1.5 ** np.repeat(codes[:, 0].astype(float), self.hop)
        return (0.3 * np.sin(2 * np.pi * np.cumsum(hz) / self.sample_rate)).astype(np.float32)


class Reader(torch.nn.Module):
    """Gives the letter that the text has at a frame the probability 1/2, and shares the rest among the others."""

    def __init__(self):
        super().__init__()
        self.sure = torch.nn.Parameter(torch.tensor(0.5))


class Reading:
    def example(self, sentence):
        return {"expected": spelled(sentence.text)[:, 0], "codes": sentence.codes[:, 0]}

    def collate(self, examples):
        return {"right": torch.tensor([a == b for e in examples for a, b in zip(e["expected"], e["codes"])])}

    def levels(self, model, batch):
        nats = torch.where(batch["right"], math.log(2), math.log(2 * (LETTERS - 1)))
        return {"level_0": (nats.sum(), len(nats)), "level_1": (torch.tensor(0.0), len(nats))}


TRAIN = [said(text) for text in ("abab", "cdcd", "efef", "ghgh", "acac", "hgfe")]
VAL = [said("abcd"), said("efgh")]
SETTINGS = SynthesisSettings(sentences=2, candidates=5)


def sample(split, sentence, spoken, ended=True):
    """What a model says (`spoken`) where a sentence was asked for."""
    codes, codec = spelled(spoken), Piano()
    return Sample(
        id=f"{split}-{sentence.text}",
        split=split,
        text=sentence.text,
        speaker=sentence.speaker,
        codes=codes,
        audio=resynthesize(codec, codes),
        reference_audio=resynthesize(codec, sentence.codes),
        ended=ended,
        seconds=len(codes) / 25,
        reference_seconds=len(sentence.codes) / 25,
    )


SAMPLES = [
    sample("train", TRAIN[0], "abab"),
    sample("train", TRAIN[1], "cdcd"),
    sample("val", VAL[0], "abcd"),
    sample("val", VAL[1], "ababab", ended=False),
]


@pytest.fixture(scope="module")
def metrics():
    return evaluate(Reading(), Reader(), Piano(), TRAIN, VAL, SAMPLES, SETTINGS)


def test_likelihood_figures(metrics):
    figures = metrics["figures"]
    assert figures["heldout_loss"]["value"] == 1.0
    assert figures["heldout_loss"]["levels"] == [1.0, 0.0]
    assert figures["heldout_loss"]["frames"] == 40
    # Letters in training, of 24: a 4, c 4, e 3, f 3, g 3, h 3, b 2, d 2, five frames each; one phantom frame each.
    counts = {"a": 20, "b": 10, "c": 20, "d": 10, "e": 15, "f": 15, "g": 15, "h": 15}
    unigram = sum(-math.log2((count + 1) / 128) for count in counts.values()) / 8 - math.log2(121 / 122)
    assert figures["unigram_loss"]["value"] == pytest.approx(unigram, abs=1e-4)
    assert figures["loss_ratio"]["value"] == pytest.approx(1 / unigram, abs=1e-4)
    assert figures["wrong_text_gap"]["value"] == pytest.approx(math.log2(7), abs=1e-4)
    assert figures["train_loss"]["value"] == 1.0


def test_retrieval_and_lengths(metrics):
    figures = metrics["figures"]
    assert (figures["retrieval_train"]["value"], figures["retrieval_train"]["of"]) == (2, 2)
    assert (figures["retrieval_val"]["value"], figures["retrieval_val"]["of"]) == (1, 2)
    assert figures["retrieval_val"]["chance"] == 0.4
    assert figures["length_ratio_val"] | {"meaning": ""} == {
        "value": 1.25,
        "unit": "of the recording",
        "meaning": "",
        "target": "0.75 to 1.35",
        "lowest": 1.0,
        "highest": 1.5,
    }
    assert (figures["ended_train"]["value"], figures["ended_val"]["value"]) == (2, 1)
    ranks = {row["id"]: row["rank"] for row in metrics["samples"]}
    assert ranks["train-abab"] == ranks["train-cdcd"] == ranks["val-abcd"] == 1
    assert ranks["val-efgh"] > 1
    assert {row["candidates"] for row in metrics["samples"]} == {5}


def test_every_figure_has_a_unit_or_a_reason(metrics):
    json.dumps(metrics, allow_nan=False)
    for name, figure in metrics["figures"].items():
        assert figure["meaning"], name
        assert ("unit" in figure) != ("why" in figure), name
    missing = {name for name, figure in metrics["figures"].items() if figure["value"] is None}
    assert missing == {"wer", "cer", "original_wer", "speaker_similarity", "dnsmos"}
    assert metrics["figures"]["wer"]["why"] == "not measured: no weights of a recogniser are there"


def test_judges_where_they_are():
    heard = {len(s.audio): s.text for s in SAMPLES} | {len(SAMPLES[3].audio): "ab ab"}
    judges = Judges(
        transcribe=lambda audio, sample_rate: heard[len(audio)],
        embed=lambda audio, sample_rate: np.array([1.0, len(audio) > 13_000]),
        opinion=lambda audio, sample_rate: 3.0 if len(audio) < 13_000 else 2.0,
    )
    figures = evaluate(Reading(), Reader(), Piano(), TRAIN, VAL, [SAMPLES[3]], SETTINGS, judges)["figures"]
    assert figures["wer"]["value"] == 2.0, "one substitution and one insertion for one word"
    assert figures["original_wer"]["value"] == 1.0
    assert figures["speaker_similarity"]["value"] == pytest.approx(math.sqrt(0.5), abs=1e-4)
    assert (figures["dnsmos"]["value"], figures["dnsmos"]["original"]) == (2.0, 3.0)


def test_silence_is_heard_as_nothing():
    judges = Judges(transcribe=lambda audio, sample_rate: "abcd")
    figures = evaluate(Reading(), Reader(), Piano(), TRAIN, VAL, [sample("val", VAL[0], "")], SETTINGS, judges)[
        "figures"
    ]
    assert figures["wer"]["value"] == 1.0 and figures["original_wer"]["value"] == 0.0
    assert figures["retrieval_val"]["value"] == 0
    assert figures["speaker_similarity"]["value"] is None


def test_without_held_out_sentences_or_decoder():
    codec = Piano()
    codec.decodes = False
    mute = [sample("train", TRAIN[0], "abab")]
    figures = evaluate(Reading(), Reader(), codec, TRAIN, [], mute, SETTINGS)["figures"]
    assert figures["heldout_loss"]["why"] == "not measured: the dataset has no held-out sentence"
    assert figures["retrieval_train"]["why"] == "not measured: this codec does not decode"
    assert figures["length_ratio_train"]["value"] == 1.0


def test_samples_of_another_pack_are_refused():
    with pytest.raises(KaikuError, match="Run the synthesis again"):
        evaluate(Reading(), Reader(), Piano(), TRAIN[1:], VAL, SAMPLES, SETTINGS)


def test_a_real_family_and_codec(tmp_path):
    codec = env.tiny(tmp_path / "codec")
    settings = fish.Settings(model=fish.ModelSizes(dim=16, n_layer=1, intermediate_size=16, fast_dim=16))
    family = fish.load(settings)
    model = family.load_base(family.new_base(settings, codec.codebook_sizes, 0, tmp_path / "base"), torch.float32)
    random = np.random.default_rng(0)
    sentences = [
        Sentence("aino", f"lause {n}", random.integers(0, 128, (10 + n, 3)).astype(np.uint16)) for n in range(6)
    ]
    train, val = sentences[:4], sentences[4:]
    chosen = SynthesisSettings(sentences=1, candidates=4, max_seconds=0.4)
    spoken = list(synthesize(family, model, codec, {"train": train, "val": val}, chosen))
    again = list(synthesize(family, model, codec, {"val": val}, chosen))
    np.testing.assert_array_equal(spoken[1].codes, again[0].codes)
    assert [len(s.codes) <= 10 and len(s.audio) == len(s.codes) * codec.hop for s in spoken] == [True, True]
    metrics = evaluate(family, model, codec, train, val, spoken, chosen)
    figures = metrics["figures"]
    assert figures["heldout_loss"]["frames"] == 14 + 15
    assert len(figures["heldout_loss"]["levels"]) == 3
    assert 18 < figures["heldout_loss"]["value"] < 30, "random weights know about as much as log2 of 128 cubed, 21 bits"
    assert abs(figures["wrong_text_gap"]["value"]) < 1
    assert [row["candidates"] for row in metrics["samples"]] == [4, 4]
    assert metrics == evaluate(family, model, codec, train[::-1], val[::-1], spoken, chosen)
