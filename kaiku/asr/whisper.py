"""Whisper in CTranslate2 by faster-whisper: one clip at a time, no sampling, never from a model hub."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kaiku.asr import SAMPLE_RATE, Spoken, Transcript
from kaiku.errors import KaikuError
from kaiku.strict import Strict, speed_only

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

NEEDS = "audio"
LIBRARIES: tuple[str, ...] = ("faster-whisper", "ctranslate2", "tokenizers")

WINDOW_S = 30
"""Seconds that Whisper hears at once."""


class Settings(Strict):
    """Language and accuracy; the model is the folder that `load` is given."""

    language: str = Field("", description="Language spoken (BCP 47); empty: the clip's, or as heard if `und`.")
    beam_size: int = Field(5, ge=1, description="Hypotheses kept while decoding; 1 is fastest.")
    compute_type: Literal["float32", "float16", "bfloat16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"] = (
        Field("int8", description="Number format of the computation; changes results. float16 and bfloat16 need a GPU.")
    )
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where the model runs.")
    threads: int = speed_only(1, ge=1, description="CPU threads of one job.")


class Whisper:
    """A loaded model; confidence is the geometric mean of the token probabilities, the end of text counted as one."""

    def __init__(self, model: "WhisperModel", settings: Settings):
        self.model, self.settings = model, settings

    def transcribe(self, clip: Spoken) -> Transcript:
        """The text of one clip; where nothing is heard, an empty text without confidence."""
        if clip.audio.ndim != 1 or clip.audio.dtype != "float32":
            raise KaikuError(
                f"audio {clip.audio.dtype} {list(clip.audio.shape)}", expected=f"float32 [samples] at {SAMPLE_RATE} Hz"
            )
        if not clip.audio.size:
            return Transcript("", None, clip.language)
        segments, heard = self.model.transcribe(
            clip.audio,
            language=self._language(clip.language),
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
        """Whisper's code of the language spoken, None where it is to be heard."""
        tag = self.settings.language or clip_language
        code = tag.lower().replace("_", "-").split("-")[0]
        if code in ("", "und"):
            return None
        if code not in self.model.supported_languages:
            raise KaikuError(
                f"language {tag!r}, which this Whisper model does not know",
                expected=f"one of {', '.join(self.model.supported_languages)}",
                remedy="Set `language` of the transcriber, or use another one for this corpus.",
            )
        return code


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
            compute_type=settings.compute_type,
            cpu_threads=settings.threads,
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
    return math.exp(min(0.0, sum(segment.avg_logprob * (len(segment.tokens) + 1) for segment in segments) / tokens))
