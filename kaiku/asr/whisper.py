"""Whisper in CTranslate2 by faster-whisper: single clips or batches, no sampling, never from a model hub."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, PositiveInt

from kaiku.asr import SAMPLE_RATE, Spoken, Transcript
from kaiku.asr._whisper import WINDOW_S, as_probability, checked, language_code
from kaiku.errors import KaikuError
from kaiku.strict import Strict, speed_only

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

NEEDS = "audio"
NEEDS_MODEL = True
LIBRARIES: tuple[str, ...] = ("faster-whisper", "ctranslate2", "tokenizers")


class Settings(Strict):
    """Language and accuracy; the model is the folder that `load` is given."""

    language: str = Field("", description="Language spoken (BCP 47); empty: the clip's, or as heard if `und`.")
    beam_size: int = Field(5, ge=1, description="Hypotheses kept while decoding; 1 is fastest.")
    compute_type: Literal["float32", "float16", "bfloat16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"] = (
        Field("int8", description="Number format of the computation; changes results. float16 and bfloat16 need a GPU.")
    )
    batch_size: int = Field(
        1,
        ge=1,
        description="Clips heard at once; for a GPU. Changes results in the last digits where products are rounded "
        "otherwise for more of them: more than 1 is for machines that do not count on the same bits.",
    )
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where the model runs.")
    threads: int = speed_only(1, ge=1, description="CPU threads of a worker.")
    workers: PositiveInt | Literal["auto"] = speed_only(
        "auto",
        description="Batches that one job hears side by side on each device. auto: on a GPU as many as fit into its "
        "free memory, 4 at most; on a CPU one, since shards run beside each other. A number is lowered to what fits.",
    )
    gpus: int = speed_only(
        1, ge=1, description="GPUs that one job takes; more than one is for a corpus of fewer shards than GPUs."
    )


class Whisper:
    """A loaded model; confidence is the geometric mean of the token probabilities, the end of text counted as one."""

    def __init__(self, model: "WhisperModel", settings: Settings):
        self.model, self.settings = model, settings
        self.batch_size, self.workers = settings.batch_size, model.model.num_workers

    def transcribe(self, clip: Spoken) -> Transcript:
        """The text of one clip; where nothing is heard, an empty text without confidence."""
        return self.transcribe_batch([clip])[0]

    def transcribe_batch(self, clips: Sequence[Spoken]) -> list[Transcript]:
        """The texts of some clips. Those of one window and known language are heard together, the others one by one."""
        with self._room():
            return self._transcribe(clips)

    def _transcribe(self, clips: Sequence[Spoken]) -> list[Transcript]:
        found: dict[int, Transcript] = {}
        together: dict[int, tuple[np.ndarray, str]] = {}
        for number, clip in enumerate(clips):
            checked(clip)
            language = self._language(clip.language)
            features = self._window(clip.audio) if language and clip.audio.size <= WINDOW_S * SAMPLE_RATE else None
            if features is None:
                found[number] = self._one_by_one(clip, language)
            elif not features.size:
                found[number] = Transcript("", None, language if clip.audio.size else clip.language)
            else:
                together[number] = features, language
        if together:
            found |= zip(together, self._together(*zip(*together.values(), strict=True)), strict=True)
        return [found[number] for number in range(len(clips))]

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Raise MemoryError where workers took the memory from each other: that is no fault of a clip."""
        try:
            yield
        except RuntimeError as fault:
            if self.workers == 1 or "out of memory" not in str(fault):
                raise
            raise MemoryError(f"{fault} ({self.workers} workers): set `workers` of the transcriber to fewer") from fault

    def _window(self, audio: np.ndarray) -> np.ndarray:
        """float32 [mel bands, frames of a whole window]; no frames where the audio is shorter than one."""
        from faster_whisper.audio import pad_or_trim

        features = self.model.feature_extractor(audio)[:, :-1] if audio.size else np.zeros((1, 0), np.float32)
        return pad_or_trim(features) if features.size else features

    def _together(self, windows: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        """As `transcribe` of faster-whisper hears one window without timestamps, but several at once."""
        from ctranslate2 import StorageView
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        whole = self.model.model
        tokenizers = [
            Tokenizer(self.model.hf_tokenizer, whole.is_multilingual, task="transcribe", language=language)
            for language in languages
        ]
        results = whole.generate(
            # Not encoded by a call of its own: another worker, on another GPU, might take the next one.
            StorageView.from_array(np.ascontiguousarray(np.stack(windows))),
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps] for tokenizer in tokenizers],
            beam_size=self.settings.beam_size,
            max_length=self.model.max_length,
            return_scores=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizers[0], [-1]),
        )
        found = []
        for result, tokenizer, language in zip(results, tokenizers, languages, strict=True):
            tokens = result.sequences_ids[0]
            text = " ".join(tokenizer.decode(tokens).split())
            # The score is the mean over the tokens; the end of text, whose probability is in it, is not counted there.
            logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
            found.append(Transcript(text, as_probability(logprob) if text else None, language))
        return found

    def _one_by_one(self, clip: Spoken, language: str | None) -> Transcript:
        """A clip of several windows, or in a language that is to be heard first."""
        if not clip.audio.size:
            return Transcript("", None, clip.language)
        segments, heard = self.model.transcribe(
            clip.audio,
            language=language,
            beam_size=self.settings.beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            # The clip is speech by the VAD's word; these would drop or retry it by rules of their own.
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
            # Beyond one window the timestamps say where the next one starts.
            without_timestamps=clip.audio.size <= WINDOW_S * SAMPLE_RATE,
        )
        segments = list(segments)
        text = " ".join("".join(segment.text for segment in segments).split())
        return Transcript(text, _confidence(segments), heard.language)

    def _language(self, clip_language: str) -> str | None:
        return language_code(self.settings.language or clip_language, self.model.supported_languages)


def load(settings: Settings, folder: Path) -> Whisper:
    """The model in a folder (model.bin, config.json, tokenizer.json, perhaps preprocessor_config.json)."""
    for name in ("model.bin", "config.json", "tokenizer.json"):
        # Without its tokenizer faster-whisper would fetch one from the hub, and perhaps another one.
        if not (folder / name).is_file():
            raise KaikuError(
                f"{folder}: no {name}",
                expected="a Whisper model in CTranslate2's format",
                remedy="ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json makes one.",
            )
    from faster_whisper import WhisperModel

    try:
        model = WhisperModel(
            str(folder),
            device=settings.device,
            device_index=list(range(settings.gpus)),
            compute_type=settings.compute_type,
            cpu_threads=settings.threads,
            num_workers=1 if settings.workers == "auto" else settings.workers,
            local_files_only=True,
        )
    except (ValueError, RuntimeError) as fault:
        raise KaikuError(f"{folder}: {fault}", remedy="See `compute_type` and `device` of the transcriber.") from fault
    heard, known = model.feature_extractor.mel_filters.shape[0], model.model.n_mels
    if heard != known:
        raise KaikuError(
            f"{folder}: the model takes {known} mel bands, its preprocessor makes {heard}",
            remedy="Copy preprocessor_config.json from where the model was converted.",
        )
    return Whisper(model, settings)


def tiny(folder: Path) -> Settings:
    """Write a random model of one layer and 16 channels into the folder; the settings to load it with."""
    from kaiku.asr._tiny_whisper import write

    write(folder)
    return Settings(compute_type="float32")


def _confidence(segments: list) -> float | None:
    """exp of the mean log probability per token; segments of one window share the window's mean."""
    tokens = sum(len(segment.tokens) + 1 for segment in segments)
    if not tokens:
        return None
    return as_probability(sum(segment.avg_logprob * (len(segment.tokens) + 1) for segment in segments) / tokens)
