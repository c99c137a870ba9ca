"""Everything that is known about a trained voice, as `metrics.json`: each figure with its unit, or why it is missing.

Loss ratio, wrong-text gap and retrieval stand together, since each alone can be had by a model that does not speak.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kaiku.errors import KaikuError
from kaiku.families import Family, Sentence
from kaiku.metrics import retrieval
from kaiku.metrics.figures import measured, not_measured, rounded
from kaiku.metrics.judges import Judges, judged
from kaiku.metrics.likelihood import Bits, model_bits, uniform_bits, unigram_bits, wrong_text_gap
from kaiku.progress import track
from kaiku.synthesis import Sample, SynthesisSettings, choose, resynthesize

LIBRARIES = ("librosa", "numpy", "scipy", "soxr", "torch", "transformers")

BITS = "bits per frame"

Recordings = Callable[[Sentence], tuple[np.ndarray, int]]
"""A sentence as it was recorded: float32 [samples] and their sample rate in Hz."""


def evaluate(
    family: Family,
    model: Any,
    codec: Any,
    train: Sequence[Sentence],
    val: Sequence[Sentence],
    samples: Sequence[Sample],
    settings: SynthesisSettings,
    judges: Judges | None = None,
    recordings: Recordings | None = None,
) -> dict[str, Any]:
    """The content of metrics.json: `figures` by name, and per sample its rank among the candidates.

    train, val: the sentences the model was trained on and those it never saw; samples: what `synthesize` made of some.
    recordings: gives a sentence as it was recorded; without it, what is generated is compared with resyntheses.
    """
    candidates = "recordings" if recordings else "the codec's resyntheses"
    recorded = recordings or (lambda sentence: (resynthesize(codec, sentence.codes), codec.sample_rate))
    matches = _matches(codec, samples, [*train, *val], settings, recorded)
    return {
        "figures": {
            **_likelihood(family, model, codec, train, val),
            **_retrieval(samples, matches, candidates),
            **_lengths(samples),
            **judged(samples, codec.sample_rate, judges or Judges()),
        },
        "samples": [_sample_row(sample, matches.get(sample.id)) for sample in samples],
    }


def _likelihood(
    family: Family, model: Any, codec: Any, train: Sequence[Sentence], val: Sequence[Sentence]
) -> dict[str, dict[str, Any]]:
    meanings = {
        "heldout_loss": "cross-entropy of the codes of sentences never trained on, all levels",
        "unigram_loss": "the same of a model that knows only how often each code is used in training",
        "loss_ratio": "held-out loss over unigram loss: 1 = text and context explain nothing",
        "wrong_text_gap": "what the loss rises by when each sentence is given another's text: 0 = the text is not used",
        "train_loss": "cross-entropy on as many sentences it was trained on; far below held-out = learned by heart",
    }
    if not val:
        return {name: not_measured("the dataset has no held-out sentence", text) for name, text in meanings.items()}
    heldout = model_bits(family, model, val)
    unigram = unigram_bits(train, val, codec.codebook_sizes)
    ratios = [loss / chance if chance else math.nan for loss, chance in zip(heldout.levels, unigram.levels)]
    seen = model_bits(family, model, choose(train, len(val)))
    uniform = uniform_bits(codec.codebook_sizes)
    return {
        "heldout_loss": _bits(heldout, meanings["heldout_loss"], f"below {uniform:.1f}, where all codes are alike"),
        "unigram_loss": _bits(unigram, meanings["unigram_loss"]),
        "loss_ratio": measured(
            heldout.total / unigram.total, "of the unigram", meanings["loss_ratio"], "below 1", levels=ratios
        ),
        "wrong_text_gap": _gap(family, model, val, heldout, meanings["wrong_text_gap"]),
        "train_loss": _bits(seen, meanings["train_loss"]),
    }


def _bits(bits: Bits, meaning: str, target: str = "") -> dict[str, Any]:
    return measured(bits.total, BITS, meaning, target, levels=bits.levels, frames=bits.frames)


def _gap(family: Family, model: Any, val: Sequence[Sentence], heldout: Bits, meaning: str) -> dict[str, Any]:
    target = "well above 0"
    try:
        return measured(wrong_text_gap(family, model, val, heldout), BITS, meaning, target)
    except KaikuError as error:
        return not_measured(str(error), meaning, target)


def _matches(
    codec: Any,
    samples: Sequence[Sample],
    sentences: Sequence[Sentence],
    settings: SynthesisSettings,
    recorded: Recordings,
) -> dict[str, retrieval.Match]:
    """Per sample id, where its own sentence came out among what its speaker recorded.

    Real recordings are the stronger evidence and the easier to tell apart: resyntheses all share the codec's noise.
    """
    if not codec.decodes:
        return {}
    matches = {}
    by_speaker: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_speaker[sample.speaker].append(sample)
    for speaker, spoken in track(sorted(by_speaker.items()), total=len(by_speaker), label="retrieve", unit="speaker"):
        texts = _candidates(spoken, [s for s in sentences if s.speaker == speaker], settings.candidates)
        known = [retrieval.features(*recorded(sentence)) for sentence in texts.values()]
        generated = [retrieval.features(sample.audio, codec.sample_rate) for sample in spoken]
        own = [list(texts).index(sample.text) for sample in spoken]
        matches |= {s.id: match for s, match in zip(spoken, retrieval.retrieve(generated, known, own))}
    return matches


def _candidates(spoken: Sequence[Sample], sentences: Sequence[Sentence], count: int) -> dict[str, Sentence]:
    """By text, the spoken sentences and others of the same speaker: `count` in all, where there are as many."""
    by_text = {sentence.text: sentence for sentence in choose(sentences, len(sentences))}
    missing = [sample.text for sample in spoken if sample.text not in by_text]
    if missing:
        raise KaikuError(
            f"{len(missing)} samples of {spoken[0].speaker} are of no sentence in the packs, as {missing[0]!r}",
            remedy="Run the synthesis again: it was made of other packs.",
        )
    own = {sample.text: by_text[sample.text] for sample in spoken}
    others = [text for text in by_text if text not in own][: max(0, count - len(own))]
    return own | {text: by_text[text] for text in others}


def _retrieval(
    samples: Sequence[Sample], matches: Mapping[str, retrieval.Match], candidates: str
) -> dict[str, dict[str, Any]]:
    meaning = (
        f"generated sentences that are nearest to the right one, among {candidates} of {{n}} sentences of the same "
        "speaker (dynamic time warping of log-mel frames)"
    )
    figures = {}
    for split, members in _by_split(samples).items():
        found = [matches[sample.id] for sample in members if sample.id in matches]
        if not found:
            figures[f"retrieval_{split}"] = not_measured("this codec does not decode", meaning.format(n="other"))
            continue
        sizes = sorted({match.candidates for match in found})
        chance = math.fsum(1 / match.candidates for match in found)
        figures[f"retrieval_{split}"] = measured(
            sum(match.found for match in found),
            f"of {len(found)}",
            meaning.format(n=sizes[0] if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"),
            f"most of them; guessing finds {chance:.1f}",
            of=len(found),
            chance=chance,
        )
    return figures


def _lengths(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    figures = {}
    for split, members in _by_split(samples).items():
        ratios = [retrieval.length_ratio(sample.seconds, sample.reference_seconds) for sample in members]
        figures[f"length_ratio_{split}"] = measured(
            float(np.mean(ratios)),
            "of the recording",
            "mean length of the generated speech over the recorded",
            "0.75 to 1.35",
            lowest=min(ratios),
            highest=max(ratios),
        )
        figures[f"ended_{split}"] = measured(
            sum(sample.ended for sample in members),
            f"of {len(members)}",
            "sentences that stopped by themselves before the limit",
            "all",
            of=len(members),
        )
    return figures


def _sample_row(sample: Sample, match: retrieval.Match | None) -> dict[str, Any]:
    """What the report says beside a sample's players."""
    return {
        "id": sample.id,
        "split": sample.split,
        "speaker": sample.speaker,
        "text": sample.text,
        "ended": sample.ended,
        "seconds": rounded(sample.seconds),
        "length_ratio": rounded(retrieval.length_ratio(sample.seconds, sample.reference_seconds)),
        "rank": match.rank if match else None,
        "candidates": match.candidates if match else None,
        "margin": rounded(match.margin) if match else None,
    }


def _by_split(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    splits: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        splits[sample.split].append(sample)
    return splits
