"""How well a text fits the sound of its clip, by a CTC model that knows letters: wrong words stand out as unlikely.

The model is any `*ForCTC` of transformers with a vocabulary of letters (wav2vec 2.0, HuBERT, WavLM...), from a folder:
`config.json`, weights, `vocab.json`, and `preprocessor_config.json`.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kaiku.errors import CorruptFile, KaikuError
from kaiku.exact import exact_fp32
from kaiku.metrics.recognition import unpunctuated
from kaiku.pretrained import load_whole
from kaiku.strict import Strict, by_content, speed_only
from kaiku.text import ctc
from kaiku.text.letters import foreign_shares
from kaiku.text.spoken import SAMPLE_RATE, SpokenText

NEEDS = "text"
USES = ("audio",)
LIBRARIES = ("torch", "transformers", "numpy")
FIELDS = {
    "alignment_logprob": "mean over the text's letters of the log probability (natural) with which the sound says them "
    "where they fit best; near 0 is right.",
    "alignment_worst_logprob": "the same of the word that fits worst.",
    "alignment_fits": "1 where the clip has frames enough for the text, 0 where nobody could say it in that time.",
    "alignment_unknown_share": "share of the text's letters that the model's vocabulary lacks.",
}


class Settings(Strict):
    """The model, and what it is not asked."""

    model: str = by_content("ctc", description="Base model (`bases:`) of the kind *ForCTC.")
    max_unknown: float = Field(
        0.1, ge=0, le=1, description="Share of letters the vocabulary may lack; of more, nothing is measured."
    )
    longest_s: float = Field(60, gt=0, description="s of a clip at most: memory grows with its square.")
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where the model runs.")


class Aligner:
    """A loaded model."""

    def __init__(self, model: Any, extractor: Any, device: str, letters: "Letters", settings: Settings):
        self.model, self.extractor, self.device = model, extractor, device
        self.letters, self.settings = letters, settings

    def measure(self, clip: SpokenText) -> dict[str, float | None]:
        """See FIELDS; None without text or sound, of too long a clip, and where the vocabulary lacks too much."""
        found: dict[str, float | None] = dict.fromkeys(FIELDS)
        words, unknown = self.letters.spell(clip.text)
        found["alignment_unknown_share"] = unknown
        seconds = len(clip.audio) / SAMPLE_RATE
        if not words or unknown > self.settings.max_unknown or not 0 < seconds <= self.settings.longest_s:
            return found
        log_probs, tokens = self.log_probs(clip.audio), self.letters.joined(words)
        found["alignment_fits"] = float(len(log_probs) > 0 and ctc.fits(tokens, len(log_probs)))
        if found["alignment_fits"]:
            path = ctc.align(log_probs, tokens, self.letters.blank)
            scores = ctc.token_scores(log_probs, tokens, path)
            of_words = self.letters.divided(scores, words)
            found["alignment_logprob"] = float(np.mean(np.concatenate(of_words)))
            found["alignment_worst_logprob"] = min(float(np.mean(word)) for word in of_words)
        return found

    def log_probs(self, audio: np.ndarray) -> np.ndarray:
        """float32 [samples] at SAMPLE_RATE -> float32 [frames, vocabulary]; no frames where it is shorter than one."""
        import torch

        inputs = self.extractor(audio, sampling_rate=SAMPLE_RATE, return_tensors="pt").to(self.device)
        lengths = getattr(self.model, "_get_feat_extract_output_lengths", None)
        if lengths is not None and int(lengths(torch.tensor(len(audio)))) < 1:
            return np.zeros((0, self.model.config.vocab_size), np.float32)
        with exact_fp32():
            logits = self.model(**inputs).logits[0]  # [frames, vocabulary]
            return torch.log_softmax(logits, dim=-1).cpu().numpy()


class Letters:
    """A vocabulary of letters: which token each is, which is the blank, and what stands between words."""

    def __init__(self, tokens: dict[str, int], blank: int, delimiter: str):
        self.tokens, self.blank, self.delimiter = tokens, blank, tokens.get(delimiter)

    def spell(self, text: str) -> tuple[list[list[int]], float | None]:
        """The tokens of each word as far as they are known, and the share of letters that are not; None without any."""
        small = unpunctuated(text).lower().split()
        words = [[token for letter in word for token in self._spelt(letter)] for word in small]
        total = sum(map(len, words))
        known = [[token for token in word if token is not None] for word in words]
        return [word for word in known if word], 1 - sum(map(len, known)) / total if total else None

    def joined(self, words: list[list[int]]) -> list[int]:
        """The tokens of all words, with what stands between two of them."""
        between = [] if self.delimiter is None else [self.delimiter]
        return [token for number, word in enumerate(words) for token in (between * (number > 0) + word)]

    def divided(self, scores: np.ndarray, words: list[list[int]]) -> list[np.ndarray]:
        """The scores of each word's letters."""
        found, place = [], 0
        for word in words:
            found.append(scores[place : place + len(word)])
            place += len(word) + (self.delimiter is not None)
        return found

    def _spelt(self, letter: str) -> list[int | None]:
        """Tokens of a small letter in a form that is known: itself, folded (ς to σ, ß to ss), capital; else None."""
        for form in (letter, letter.casefold(), letter.upper()):
            if all(c in self.tokens for c in form):
                return [self.tokens[c] for c in form]
        return [None]


def examine(settings: Settings, folder: Path, languages: Collection[str]) -> None:
    """Raise KaikuError where the model in a folder could align none of these languages (BCP 47), by its small files.

    That is a model of another kind, or a vocabulary without a letter of the script of any of them.
    """
    letters = "".join(sorted(token for token in read_letters(folder).tokens if len(token) == 1 and token.isalpha()))
    kinds = _json(folder / "config.json").get("architectures") or []
    if kinds and not any(kind.endswith("ForCTC") for kind in kinds):
        raise KaikuError(f"{folder}: a {kinds[0]}", expected=_MODEL, remedy=_ANOTHER)
    if not letters:
        raise KaikuError(f"{folder}/vocab.json: no token is a single letter", expected=_MODEL, remedy=_ANOTHER)
    if languages and all(foreign_shares(letters, language)[1] == 1 for language in languages):
        raise KaikuError(
            f"{folder}/vocab.json: letters {letters[:40]!r}",
            expected=f"those of {', '.join(sorted(languages))}",
            remedy=_ANOTHER,
        )


def load(settings: Settings, folder: Path) -> Aligner:
    """The aligner with the model that stands in a folder."""
    from transformers import AutoFeatureExtractor, AutoModelForCTC

    letters = read_letters(folder)
    model, device = load_whole(AutoModelForCTC, folder, settings.device, "a CTC model (*ForCTC)")
    if max(letters.tokens.values()) >= model.config.vocab_size:
        raise KaikuError(
            f"{folder}: vocab.json has {len(letters.tokens)} tokens, the model's head {model.config.vocab_size}",
            expected="the vocabulary that the model was trained with",
        )
    try:
        extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as fault:
        raise KaikuError(f"{folder}: {fault}", expected="the model's preprocessor_config.json") from fault
    if extractor.sampling_rate != SAMPLE_RATE:
        raise KaikuError(f"{folder}: a model for {extractor.sampling_rate} Hz", expected=f"{SAMPLE_RATE} Hz")
    return Aligner(model, extractor, device, letters, settings)


def read_letters(folder: Path) -> Letters:
    """The vocabulary of a CTC model's folder."""
    for name in ("config.json", "vocab.json"):
        if not (folder / name).is_file():
            raise KaikuError(f"{folder}: no {name}", expected=_MODEL, remedy=_ANOTHER)
    tokens = _json(folder / "vocab.json")
    if any(not isinstance(token, int) for token in tokens.values()):
        raise KaikuError(
            f"{folder}/vocab.json: a vocabulary for each of {len(tokens)} languages",
            expected="one vocabulary",
            remedy="Save the model with the one of your language; its adapter belongs to it.",
        )
    own = folder / "tokenizer_config.json"
    said = _json(own) if own.is_file() else {}
    blank = _json(folder / "config.json").get("pad_token_id") or 0
    return Letters(tokens, blank, said.get("word_delimiter_token") or "|")


_MODEL = "a CTC model of transformers (*ForCTC) with a vocabulary of letters"
_ANOTHER = "Name another base model in `checks: {alignment: {model: ...}}`."


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise CorruptFile(f"{path}: {fault}", expected="JSON", remedy="Fetch it again.") from fault
    if not isinstance(found, dict):
        raise CorruptFile(f"{path}: a {type(found).__name__}", expected="names with values", remedy="Fetch it again.")
    return found


def tiny(folder: Path) -> Settings:
    """Write a wav2vec 2.0 of one layer with random weights and Finnish letters; the settings to load it with."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    tokens = ["<pad>", "|", *"abcdefghijklmnopqrstuvwxyzåäö"]
    config = Wav2Vec2Config(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16, 16),
        conv_kernel=(10, 8, 8),
        conv_stride=(8, 8, 5),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return Settings(device="cpu")
