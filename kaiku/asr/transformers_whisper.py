"""Whisper by the transformers library, from a folder as OpenAI's is laid out on the Hugging Face hub.

For models that were fine-tuned with transformers, without converting them; in full precision, no sampling. One worker:
threads would share one interpreter and one stream of the GPU, so that only `batch_size` makes it faster.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kaiku.asr import SAMPLE_RATE, Spoken, Transcript
from kaiku.asr._whisper import WINDOW_S, as_probability, checked, language_code
from kaiku.errors import KaikuError
from kaiku.exact import exact_fp32
from kaiku.pretrained import load_whole
from kaiku.strict import Strict, speed_only

NEEDS = "audio"
NEEDS_MODEL = True
LIBRARIES: tuple[str, ...] = ("torch", "transformers", "tokenizers")


class Settings(Strict):
    """Language and accuracy; the model is the folder that `load` is given."""

    language: str = Field("", description="Language spoken (BCP 47); empty: the clip's, or as heard if `und`.")
    beam_size: int = Field(1, ge=1, description="Hypotheses kept while decoding; 1 is fastest.")
    batch_size: int = Field(
        1,
        ge=1,
        description="Clips heard at once; for a GPU. Changes results in the last digits where products are rounded "
        "otherwise for more of them: more than 1 is for machines that do not count on the same bits.",
    )
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where the model runs.")


class TransformersWhisper:
    """A loaded model; confidence is the geometric mean of the token probabilities, the end of text counted as one."""

    def __init__(self, model: Any, processor: Any, device: str, settings: Settings):
        self.model, self.processor, self.device, self.settings = model, processor, device, settings
        self.batch_size = settings.batch_size
        known = getattr(model.generation_config, "lang_to_id", None) or {}
        self.languages = {token.strip("<|>"): number for token, number in sorted(known.items())}

    def transcribe(self, clip: Spoken) -> Transcript:
        """The text of one clip; where nothing is heard, an empty text without confidence."""
        return self.transcribe_batch([clip])[0]

    def transcribe_batch(self, clips: Sequence[Spoken]) -> list[Transcript]:
        """The texts of some clips. Those of one window are heard together, longer ones one by one."""
        found: dict[int, Transcript] = {}
        together: dict[int, str | None] = {}
        for number, clip in enumerate(clips):
            checked(clip)
            language = language_code(self.settings.language or clip.language, list(self.languages))
            if not clip.audio.size:
                found[number] = Transcript("", None, clip.language)
            elif clip.audio.size <= WINDOW_S * SAMPLE_RATE:
                together[number] = language
            else:
                found[number] = self._long(clip.audio, language)
        if together:
            audio = [clips[number].audio for number in together]
            found |= zip(together, self._together(audio, list(together.values())), strict=True)
        return [found[number] for number in range(len(clips))]

    def _together(self, audio: Sequence[np.ndarray], languages: Sequence[str | None]) -> list[Transcript]:
        """Clips of one window each; where the language is None, it is heard first."""
        with exact_fp32():
            encoded = self.model.get_encoder()(self._features(audio)["input_features"])
            languages = self._heard(encoded, languages)
            sequences = self.model.generate(encoder_outputs=encoded, return_timestamps=False, **self._asked(languages))
            tokens = [[token for token in row if token < self._end] for row in sequences.tolist()]
            logprobs = self._logprobs(encoded, tokens, languages)
        texts = [self._text(row) for row in tokens]
        return [
            Transcript(text, as_probability(logprob) if text else None, language)
            for text, logprob, language in zip(texts, logprobs, languages, strict=True)
        ]

    def _long(self, audio: np.ndarray, language: str | None) -> Transcript:
        """A clip of several windows, in which timestamps say where the next one starts; how sure it is, is not told."""
        if language is None:
            language = self._together([audio[: WINDOW_S * SAMPLE_RATE]], [None])[0].language
        features = self._features([audio], truncation=False, padding="longest")
        with exact_fp32():
            (row,) = self.model.generate(
                **features, return_timestamps=True, condition_on_prev_tokens=False, **self._asked([language])
            ).tolist()
        return Transcript(self._text([token for token in row if token < self._end]), None, language)

    def _asked(self, languages: Sequence[str]) -> dict[str, Any]:
        """How texts are looked for; a model of one language is not told which."""
        spoken = {"language": list(languages), "task": "transcribe"} if self.languages else {}
        return {**spoken, "num_beams": self.settings.beam_size, "do_sample": False}

    def _heard(self, encoded: Any, languages: Sequence[str | None]) -> list[str]:
        """The languages, those that are None as the model hears them; English where it knows one alone."""
        if None not in languages or not self.languages:
            return [language or "en" for language in languages]
        codes = {number: code for code, number in self.languages.items()}
        heard = [codes[int(token)] for token in self.model.detect_language(encoder_outputs=encoded).flatten()]
        return [language or code for language, code in zip(languages, heard, strict=True)]

    def _logprobs(self, encoded: Any, tokens: Sequence[Sequence[int]], languages: Sequence[str]) -> list[float]:
        """Mean log probability of each row's tokens and the end of text, as the model finds them when told."""
        import torch

        config = self.model.generation_config
        prompts = [
            [config.decoder_start_token_id, *self._control(language), config.no_timestamps_token_id]
            for language in languages
        ]
        rows = [[*prompt, *row, self._end] for prompt, row in zip(prompts, tokens, strict=True)]
        length = max(map(len, rows))
        padded = torch.tensor([row + [self._end] * (length - len(row)) for row in rows], device=self.device)
        logits = self.model(encoder_outputs=encoded, decoder_input_ids=padded[:, :-1]).logits  # [B, tokens, vocabulary]
        told = torch.log_softmax(logits, dim=-1).gather(2, padded[:, 1:, None])[..., 0]
        return [
            float(told[number, len(prompt) - 1 : len(row) - 1].mean())
            for number, (prompt, row) in enumerate(zip(prompts, rows, strict=True))
        ]

    def _control(self, language: str) -> list[int]:
        if not self.languages:
            return []
        return [self.languages[language], self.model.generation_config.task_to_id["transcribe"]]

    @property
    def _end(self) -> int:
        """The end of text, which is the first of the tokens that are no text."""
        return self.model.config.eos_token_id

    def _features(self, audio: Sequence[np.ndarray], **options: Any) -> dict[str, Any]:
        """`input_features` [B, mel bands, frames] of whole windows, with a mask of what is not padding."""
        inputs = self.processor.feature_extractor(
            list(audio), sampling_rate=SAMPLE_RATE, return_tensors="pt", return_attention_mask=True, **options
        )
        return {name: values.to(self.device) for name, values in inputs.items()}

    def _text(self, tokens: Sequence[int]) -> str:
        return " ".join(self.processor.tokenizer.decode(tokens, skip_special_tokens=True).split())


def load(settings: Settings, folder: Path) -> TransformersWhisper:
    """The model in a folder (config.json, generation_config.json, preprocessor_config.json, weights, tokenizer)."""
    for name in ("config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            raise KaikuError(
                f"{folder}: no {name}",
                expected="a Whisper as transformers saves it (WhisperForConditionalGeneration and WhisperProcessor)",
                remedy="For a model in CTranslate2's format (model.bin), set `kind: whisper`.",
            )
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    try:
        processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as fault:
        raise KaikuError(f"{folder}: {fault}", expected="the tokenizer that belongs to the model") from fault
    model, device = load_whole(WhisperForConditionalGeneration, folder, settings.device, "a Whisper of transformers")
    if getattr(model.generation_config, "no_timestamps_token_id", None) is None:
        raise KaikuError(
            f"{folder}: generation_config.json is missing, or no Whisper's",
            expected="one with no_timestamps_token_id",
            remedy="Copy it from the model that was fine-tuned.",
        )
    heard, known = processor.feature_extractor.feature_size, model.config.num_mel_bins
    if heard != known:
        raise KaikuError(
            f"{folder}: the model takes {known} mel bands, its preprocessor makes {heard}",
            remedy="Copy preprocessor_config.json from where the model was trained.",
        )
    return TransformersWhisper(model, processor, device, settings)


def tiny(folder: Path) -> Settings:
    """Write a random model of one layer and 16 channels into the folder; the settings to load it with."""
    from kaiku.asr._tiny_whisper import save

    save(folder)
    return Settings(device="cpu")
