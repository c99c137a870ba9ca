"""Figures that need the weights of other models: recogniser, speaker encoder, DNSMOS."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kaiku.metrics.figures import measured, not_measured
from kaiku.metrics.recognition import character_error_rate, word_error_rate
from kaiku.synthesis import Sample


@dataclass(frozen=True)
class Judges:
    """Models that judge speech by ear, each None where its weights are absent. All take audio [samples], sample rate.

    transcribe: the words heard; embed: a vector of the speaker's voice; opinion: DNSMOS overall quality, 1 to 5.
    """

    transcribe: Callable[[np.ndarray, int], str] | None = None
    embed: Callable[[np.ndarray, int], np.ndarray] | None = None
    opinion: Callable[[np.ndarray, int], float] | None = None


MEANINGS = {
    "wer": "words that a recogniser hears wrong in the generated speech; a silent sentence counts as all wrong",
    "cer": "characters that a recogniser hears wrong in the generated speech",
    "original_wer": "the same for the codec's resynthesis of the recordings: what recogniser and codec cost",
    "speaker_similarity": "mean cosine of the voice vectors of generated speech and of the original's resynthesis",
    "dnsmos": "predicted overall opinion of listeners (DNSMOS), 1 to 5",
}


def judged(samples: Sequence[Sample], sample_rate: int, judges: Judges) -> dict[str, dict[str, Any]]:
    """Figures that need other models' weights, over all samples whose codec decodes."""
    decoded = [sample for sample in samples if sample.audio is not None]
    if not decoded:
        return {name: not_measured("this codec does not decode", meaning) for name, meaning in MEANINGS.items()}
    return {
        **_recognised(decoded, sample_rate, judges.transcribe),
        "speaker_similarity": _similarity(decoded, sample_rate, judges.embed),
        "dnsmos": _opinion(decoded, sample_rate, judges.opinion),
    }


def _recognised(
    samples: Sequence[Sample], sample_rate: int, transcribe: Callable[[np.ndarray, int], str] | None
) -> dict[str, dict[str, Any]]:
    names = ("wer", "cer", "original_wer")
    if transcribe is None:
        return {name: not_measured("no weights of a recogniser are there", MEANINGS[name]) for name in names}
    generated = [(s.text, transcribe(s.audio, sample_rate) if len(s.audio) else "") for s in samples]
    original = [(s.text, transcribe(s.reference_audio, sample_rate)) for s in samples]
    return {
        "wer": measured(word_error_rate(generated), "of words", MEANINGS["wer"], "near the original's"),
        "cer": measured(character_error_rate(generated), "of characters", MEANINGS["cer"]),
        "original_wer": measured(word_error_rate(original), "of words", MEANINGS["original_wer"]),
    }


def _similarity(
    samples: Sequence[Sample], sample_rate: int, embed: Callable[[np.ndarray, int], np.ndarray] | None
) -> dict[str, Any]:
    meaning = MEANINGS["speaker_similarity"]
    if embed is None:
        return not_measured("no weights of a speaker encoder are there", meaning)
    audible = [s for s in samples if len(s.audio)]
    cosines = [_cosine(embed(s.audio, sample_rate), embed(s.reference_audio, sample_rate)) for s in audible]
    return measured(_mean(cosines), "cosine", meaning, of=len(audible))


def _opinion(
    samples: Sequence[Sample], sample_rate: int, opinion: Callable[[np.ndarray, int], float] | None
) -> dict[str, Any]:
    meaning = MEANINGS["dnsmos"]
    if opinion is None:
        return not_measured("no weights of DNSMOS are there", meaning)
    audible = [s for s in samples if len(s.audio)]
    original = _mean([opinion(s.reference_audio, sample_rate) for s in audible])
    generated = _mean([opinion(s.audio, sample_rate) for s in audible])
    return measured(generated, "of 5", meaning, f"the original's: {original:.2f}", of=len(audible), original=original)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))
