"""What the toy corpus says: voices, sentences, and the list of its recordings. Pure tables, no sound."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import numpy as np

# speaker -> (language, espeak-ng voice)
VOICES = {
    "otso": ("fi", "fi+m3"),
    "aino": ("fi", "fi+f2"),
    "ravi": ("te", "te+m1"),
    "bia": ("pt-br", "pt-br+f3"),
    "june": ("en-us", "en-us+f4"),
}

# Every sentence takes one word of each row: 8 x 6 x 6 x 6 x 6 = 10,368 sentences.
GRAMMAR = (
    ("Mummo", "Opettaja", "Naapuri", "Vaari", "Seppä", "Metsuri", "Laulaja", "Kuningas"),
    ("näki", "maalasi", "korjasi", "piirsi", "rikkoi", "näytti"),
    ("vanhan", "punaisen", "pienen", "oudon", "kauniin", "raskaan"),
    ("veneen", "kellon", "tuolin", "lampun", "rummun", "pöydän"),
    ("rannalla", "torilla", "pihalla", "metsässä", "kylässä", "saunassa"),
)
# Places in the shuffled list of all sentences. Training and the rest never meet; aino says half of what otso says.
TRAIN = {"otso": range(80), "aino": range(40)}
HELD_OUT = range(360, 380)
FAULTY = range(400, 420)
SENTENCES_PER_RECORDING = 4

CLIPS = {
    "ravi": ("ఈ రోజు వాతావరణం బాగుంది.", "మా ఊరి నది చాలా పెద్దది.", "అమ్మ తోటలో పూలు కోస్తోంది."),
    "bia": ("A menina abriu a janela azul.", "O barco voltou cedo do mar.", "Hoje o vento canta na serra."),
    "june": ("The river is quiet this morning.", "A small bird sang by the window.", "We walked home by the old road."),
}


@dataclass(frozen=True)
class Line:
    """A sentence as it is said, and as the transcript gives it where that is something else."""

    speaker: str
    text: str
    given: str | None = None


@dataclass(frozen=True)
class Spacing:
    """Ranges in seconds from which the silences around the sentences are drawn."""

    lead_s: tuple[float, float]
    trail_s: tuple[float, float]
    pause_s: tuple[float, float] = (0.5, 1.2)


LONG = Spacing(lead_s=(0.4, 0.7), trail_s=(0.4, 0.7))
# What a cue or a pre-cut clip keeps around its speech is drawn too: else all clips would meet the codec in one phase.
CUT = Spacing(lead_s=(0.06, 0.14), trail_s=(0.08, 0.16))


@dataclass(frozen=True)
class Recording:
    """One file of the corpus; `path` is relative to toy/corpus and its ending picks the encoder."""

    path: str
    speaker: str
    lines: tuple[Line, ...]
    fault: str | None = None
    transcript: str | None = ".vtt"
    spacing: Spacing = LONG
    seed: str | None = None  # the path whose random draws are used; by default its own


def recordings() -> list[Recording]:
    """Every file of the corpus, in a fixed order."""
    return [
        *(r for speaker, indices in TRAIN.items() for r in _long(speaker, "train", indices)),
        *(r for speaker in TRAIN for r in _long(speaker, "heldout", HELD_OUT)),
        *(r for speaker, texts in CLIPS.items() for r in _clips(speaker, texts)),
        *_faulty(),
        *_bad(),
    ]


def sentence(index: int) -> str:
    """The sentence at `index` in the shuffled list of all that the grammar makes."""
    choice = np.unravel_index(_order()[index], [len(words) for words in GRAMMAR])
    return " ".join(words[i] for words, i in zip(GRAMMAR, choice)) + "."


def generator(name: str) -> np.random.Generator:
    """The random draws that belong to a name."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(sha256(name.encode()).digest(), "big")))


@cache
def _order() -> np.ndarray:
    return generator("sentences").permutation(int(np.prod([len(words) for words in GRAMMAR])))


def _lines(speaker: str, indices: range) -> tuple[Line, ...]:
    return tuple(Line(speaker, sentence(i)) for i in indices)


def _long(speaker: str, part: str, indices: range) -> list[Recording]:
    groups = [indices[i : i + SENTENCES_PER_RECORDING] for i in range(0, len(indices), SENTENCES_PER_RECORDING)]
    return [
        Recording(f"{speaker}/{part}-{number:02}.ogg", speaker, _lines(speaker, group))
        for number, group in enumerate(groups, 1)
    ]


def _clips(speaker: str, texts: tuple[str, ...]) -> list[Recording]:
    language, _ = VOICES[speaker]
    return [
        Recording(f"clips/{language}/{speaker}-{number:02}.flac", speaker, (Line(speaker, text),), None, ".lab", CUT)
        for number, text in enumerate(texts, 1)
    ]


def _faulty() -> list[Recording]:
    """Recordings that decode, with one planted fault each, and a clean one beside them."""

    def heard(name: str, fault: str | None, start: int) -> Recording:
        return Recording(f"faults/{name}", "otso", _lines("otso", FAULTY[start : start + 2]), fault)

    clean = heard("clean.ogg", None, 0)
    wrong_text = tuple(Line("otso", sentence(i), given=sentence(i + 1)) for i in FAULTY[12:16:2])
    two_speakers = (Line("otso", sentence(FAULTY[16])), Line("aino", sentence(FAULTY[17])))
    greeting = (Line("otso", "Hyvää huomenta."),)
    return [
        clean,
        Recording("faults/duplicate.ogg", "otso", clean.lines, "duplicate", seed=clean.path),
        heard("clipping.flac", "clipping", 2),  # FLAC: Opus would round the flat tops off
        heard("hum-50.ogg", "hum_50", 4),
        heard("hum-60.ogg", "hum_60", 6),
        heard("plosive.ogg", "plosive", 8),
        heard("narrow-band.ogg", "narrow_band", 10),
        Recording("faults/wrong-text.ogg", "otso", wrong_text, "wrong_text"),
        Recording("faults/two-speakers.ogg", "otso", two_speakers, "two_speakers"),
        Recording("faults/over-full-scale.wav", "otso", greeting, "over_full_scale", spacing=CUT),
    ]


def _bad() -> list[Recording]:
    """Files that are no good recordings at all."""

    def silent(name: str, fault: str) -> Recording:
        return Recording(f"faults/bad/{name}", "otso", (), fault, transcript=None, spacing=CUT)

    return [
        Recording("faults/bad/truncated.mp3", "otso", _lines("otso", FAULTY[18:20]), "truncated"),
        silent("header-only.mp3", "header_only"),
        silent("empty.wav", "empty"),
        silent("text.wav", "not_audio"),
        silent("nan.wav", "not_a_number"),
    ]
