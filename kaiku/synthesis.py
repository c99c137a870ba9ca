"""Speech for a few sentences of each split, beside what the codec makes of the recordings' own codes.

The codec's resynthesis, not the recording, is the reference: it shares the codec's losses, so what differs is the
language model's doing, and it can be made on a machine that holds tokens only.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Family, Limits, Sentence
from kaiku.progress import log, track
from kaiku.store import atomic, digest
from kaiku.strict import Strict

LIBRARIES = ("torch", "transformers", "soundfile")

SEEDS = 2**31


class SynthesisSettings(Strict):
    """Which sentences are spoken after training, and how they are sampled."""

    sentences: int = Field(12, ge=1, description="sentences spoken per split")
    candidates: int = Field(40, ge=2, description="sentences among which a generated one must find its own")
    temperature: float = Field(0.6, gt=0, description="sharpness of sampling; below 1 favours likely codes")
    top_p: float = Field(0.9, gt=0, le=1, description="share of probability that is sampled from")
    seed: int = Field(0, ge=0, description="each sentence draws from this seed and its own text")
    max_seconds: float = Field(20.0, gt=0, description="generation is cut here where the model does not stop by itself")


@dataclass(frozen=True)
class Sample:
    """One generated sentence. Audio is None where the codec cannot decode.

    codes: uint16 [frames, codebooks]; audio, reference_audio: float32 [samples] at the codec's rate; ended: the model
    stopped by itself; seconds, reference_seconds: length of the generated and of the recorded speech.
    """

    id: str
    split: str
    text: str
    speaker: str
    codes: np.ndarray
    audio: np.ndarray | None
    reference_audio: np.ndarray | None
    ended: bool
    seconds: float
    reference_seconds: float


def synthesize(
    family: Family, model: Any, codec: Any, sentences: Mapping[str, Sequence[Sentence]], settings: SynthesisSettings
) -> Iterator[Sample]:
    """Yield a sample for the chosen sentences of each split (split name -> sentences).

    Each sentence has a seed of its own, so that neither order nor the other sentences change what is said.
    """
    chosen = [(split, s) for split, members in sentences.items() for s in choose(members, settings.sentences)]
    if not chosen:
        raise KaikuError("No sentence to synthesize", expected="at least one sentence in a split")
    started, spoken_s = time.monotonic(), 0.0
    for split, sentence in track(chosen, total=len(chosen), label="synthesize", unit="sentence"):
        sample = speak(family, model, codec, split, sentence, settings)
        spoken_s += sample.seconds
        yield sample
    elapsed_s = time.monotonic() - started
    log(f"synthesize: {len(chosen)} sentences, {spoken_s:.1f} s of speech in {elapsed_s:.1f} s")


def speak(
    family: Family, model: Any, codec: Any, split: str, sentence: Sentence, settings: SynthesisSettings
) -> Sample:
    """Generate one sentence and resynthesise the original beside it."""
    frame_s = codec.hop / codec.sample_rate
    limits = Limits(
        max_frames=max(1, round(settings.max_seconds / frame_s)),
        temperature=settings.temperature,
        top_p=settings.top_p,
    )
    prompt = family.prompt(sentence.text, sentence.speaker)
    generation = family.generate(model, prompt, seed=seed_of(sentence, settings.seed), limits=limits)
    codes = generation.codes().reshape(-1, len(codec.codebook_sizes))
    return Sample(
        id=f"{split}-{_identity(sentence)[:8]}",
        split=split,
        text=sentence.text,
        speaker=sentence.speaker,
        codes=codes,
        audio=resynthesize(codec, codes),
        reference_audio=resynthesize(codec, sentence.codes),
        ended=bool(generation.ended),
        seconds=len(codes) * frame_s,
        reference_seconds=len(sentence.codes) * frame_s,
    )


def resynthesize(codec: Any, codes: np.ndarray) -> np.ndarray | None:
    """What the codec makes of codes [frames, codebooks]: float32 [samples]; None where it cannot decode."""
    if not codec.decodes:
        return None
    return codec.decode(codes) if len(codes) else np.zeros(0, np.float32)


def choose(sentences: Iterable[Sentence], count: int) -> list[Sentence]:
    """At most `count` sentences, the speakers in turn, no speaker and text twice.

    The choice goes by digest, so it does not depend on the order and changes little when a corpus grows.
    """
    by_speaker: dict[str, dict[str, Sentence]] = {}
    for sentence in sorted(sentences, key=lambda s: (_identity(s), digest.of_bytes(s.codes.tobytes()))):
        by_speaker.setdefault(sentence.speaker, {}).setdefault(sentence.text, sentence)
    queues = [list(by_speaker[speaker].values()) for speaker in sorted(by_speaker)]
    turns = [queue[turn] for turn in range(count) for queue in queues if turn < len(queue)]
    return turns[:count]


def seed_of(sentence: Sentence, seed: int) -> int:
    """The seed a sentence is sampled with: the run's seed, shifted by what is said and who says it."""
    return (seed + int(_identity(sentence)[:8], 16)) % SEEDS


def _identity(sentence: Sentence) -> str:
    return digest.of_value([sentence.speaker, sentence.text])


def write_samples(folder: Path, samples: Iterable[Sample], sample_rate: int) -> None:
    """Write samples as a whole folder: `samples.json`, and by id `.npy` codes, `.generated.flac`, `.original.flac`.

    FLAC holds no peak above 1.0: a louder clip is turned down, and `gain_db` in samples.json says by how much.
    """
    rows = []
    with atomic.folder(folder) as beside:
        for sample in samples:
            np.save(beside / f"{sample.id}.npy", sample.codes)
            rows.append(
                {
                    "id": sample.id,
                    "split": sample.split,
                    "text": sample.text,
                    "speaker": sample.speaker,
                    "ended": sample.ended,
                    "seconds": sample.seconds,
                    "reference_seconds": sample.reference_seconds,
                    "generated": _write_flac(beside / f"{sample.id}.generated.flac", sample.audio, sample_rate),
                    "original": _write_flac(beside / f"{sample.id}.original.flac", sample.reference_audio, sample_rate),
                }
            )
        atomic.write_json(beside / "samples.json", {"sample_rate": sample_rate, "samples": rows})


def read_samples(folder: Path) -> tuple[list[Sample], int]:
    """The samples of a folder that `write_samples` made, and their sample rate in Hz."""
    index = folder / "samples.json"
    try:
        content = json.loads(index.read_text())
    except (OSError, ValueError) as error:
        raise CorruptFile(f"{index}: {error}", remedy="Run the synthesis again.") from error
    samples = [
        Sample(
            codes=np.load(folder / f"{row['id']}.npy"),
            audio=_read_flac(folder, row["generated"]),
            reference_audio=_read_flac(folder, row["original"]),
            **{name: row[name] for name in ("id", "split", "text", "speaker", "ended", "seconds", "reference_seconds")},
        )
        for row in content["samples"]
    ]
    return samples, content["sample_rate"]


def _write_flac(path: Path, audio: np.ndarray | None, sample_rate: int) -> dict[str, Any] | None:
    """Write a clip; the row that tells where it is. None where there is no audio."""
    import soundfile

    if audio is None:
        return None
    peak = float(np.abs(audio).max(initial=0.0))
    gain = 1.0 / max(1.0, peak)
    soundfile.write(path, audio * np.float32(gain), sample_rate, format="FLAC", subtype="PCM_16")
    return {"file": path.name, "gain_db": round(20 * float(np.log10(gain)), 2)}


def _read_flac(folder: Path, entry: dict[str, Any] | None) -> np.ndarray | None:
    import soundfile

    if entry is None:
        return None
    path = folder / entry["file"]
    if not path.stat().st_size:  # what libsndfile writes of no samples, and does not read
        return np.zeros(0, np.float32)
    return soundfile.read(path, dtype="float32")[0]
