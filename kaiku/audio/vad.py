"""Voice activity: the probability of speech in each 32 ms (silero-vad, its sequence model), and spans by hysteresis.

The weights come out of the installed `silero-vad` distribution; its package is not imported, since that imports torch
and sets torch's thread count for the whole process.
"""

import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from kaiku.audio.resample import resample
from kaiku.audio.silero import CONTEXT, FRAME, START, Network
from kaiku.errors import KaikuError
from kaiku.strict import Strict

LIBRARIES = ("silero-vad", "numpy", "soxr")
SAMPLE_RATE = 16_000
FRAME_MS = 1000 * FRAME / SAMPLE_RATE
FRAMES_PER_CALL = 128  # 4.1 s, where the speed peaks; always the same, since another number may change the last bits


class SpeechSettings(Strict):
    """When frames count as speech."""

    threshold: float = Field(0.5, gt=0, lt=1, description="probability of speech at which a span begins")
    end_threshold: float = Field(
        0.35, gt=0, lt=1, description="probability below which a span may end; lower, so that a span does not flicker"
    )
    min_silence_ms: float = Field(
        100, ge=0, description="ms below end_threshold that end a span; shorter dips are within words"
    )
    min_speech_ms: float = Field(250, ge=0, description="ms; shorter spans are clicks and breaths and do not count")

    @model_validator(mode="after")
    def _ordered(self) -> "SpeechSettings":
        if self.end_threshold > self.threshold:
            raise ValueError(f"end_threshold {self.end_threshold} lies above threshold {self.threshold}")
        return self


DEFAULTS = SpeechSettings()


class SpeechProbability:
    """Probabilities of speech of one recording in constant memory: the model's state goes from block to block."""

    def __init__(self):
        self._network = _network()
        self._waiting = [np.zeros(0, np.float32)]
        self._waiting_samples = 0
        self._context = np.zeros(CONTEXT, np.float32)
        self._state = START

    def push(self, samples: np.ndarray) -> np.ndarray:
        """float32 [n] at 16 kHz -> probabilities float32 [frames] of the calls that are full by now."""
        self._waiting.append(samples)
        self._waiting_samples += len(samples)
        frames = self._waiting_samples // (FRAMES_PER_CALL * FRAME) * FRAMES_PER_CALL
        return self._run(frames)

    def finish(self) -> np.ndarray:
        """Probabilities of what is left; zeros fill up the last frame."""
        frames = math.ceil(self._waiting_samples / FRAME)
        self._waiting.append(np.zeros(frames * FRAME - self._waiting_samples, np.float32))
        return self._run(frames)

    def _run(self, frames: int) -> np.ndarray:
        if frames == 0:
            return np.zeros(0, np.float32)
        samples = np.concatenate(self._waiting)
        rest = samples[frames * FRAME :]
        self._waiting, self._waiting_samples = [rest], len(rest)
        calls = np.split(
            samples[: frames * FRAME].reshape(frames, FRAME), range(FRAMES_PER_CALL, frames, FRAMES_PER_CALL)
        )
        return np.concatenate([self._call(call) for call in calls])

    def _call(self, frames: np.ndarray) -> np.ndarray:
        contexts = np.concatenate([self._context[None], frames[:-1, -CONTEXT:]])
        self._context = frames[-1, -CONTEXT:]
        probabilities, self._state = self._network(np.concatenate([contexts, frames], axis=1), self._state)
        return probabilities


class SpanDetector:
    """Spans of speech from probabilities, frame by frame: (first frame, frame after the last).

    With `longest` frames given, a longer span is broken off and goes on as a span that begins where the first ended, so
    that whoever listens never waits for the end of a monologue.
    """

    def __init__(self, settings: SpeechSettings, longest: int | None = None):
        self._settings = settings
        self._min_silence = max(1, math.ceil(settings.min_silence_ms / FRAME_MS))
        self._min_speech = settings.min_speech_ms / FRAME_MS
        self._longest = longest
        self._frame = 0
        self._start: int | None = None
        self._quiet_since: int | None = None
        self._goes_on = False

    @property
    def settled(self) -> int:
        """No later span begins before this frame."""
        return self._frame if self._start is None else self._start

    def push(self, probabilities: np.ndarray) -> list[tuple[int, int]]:
        """Spans that these frames complete."""
        spans: list[tuple[int, int]] = []
        for probability in probabilities.tolist():
            if self._start is None:
                if probability >= self._settings.threshold:
                    self._start = self._frame
            else:
                self._hear(probability, spans)
            self._frame += 1
        return spans

    def finish(self) -> list[tuple[int, int]]:
        """The span that the end of the recording completes, if one is open."""
        spans: list[tuple[int, int]] = []
        if self._start is not None:
            self._close(self._frame if self._quiet_since is None else self._quiet_since, spans)
        return spans

    def _hear(self, probability: float, spans: list[tuple[int, int]]) -> None:
        if probability >= self._settings.threshold:
            self._quiet_since = None
        elif probability < self._settings.end_threshold and self._quiet_since is None:
            self._quiet_since = self._frame
        heard = self._frame + 1
        if self._quiet_since is not None:
            if heard - self._quiet_since >= self._min_silence:
                self._close(self._quiet_since, spans)
        elif self._longest is not None and heard - self._start >= self._longest:
            spans.append((self._start, heard))
            self._start, self._goes_on = heard, True

    def _close(self, end: int, spans: list[tuple[int, int]]) -> None:
        enough = self._goes_on or end - self._start >= self._min_speech
        if enough and end > self._start:
            spans.append((self._start, end))
        self._start, self._quiet_since, self._goes_on = None, None, False


def speech_probabilities(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """float32 [samples] -> probability of speech float32 [frames of 32 ms]."""
    model = SpeechProbability()
    return np.concatenate([model.push(resample(samples, sample_rate, SAMPLE_RATE)), model.finish()])


def speech_spans(
    samples: np.ndarray, sample_rate: int, settings: SpeechSettings = DEFAULTS
) -> list[tuple[float, float]]:
    """Spans of speech (start_s, end_s) in float32 [samples], in order, not overlapping, none past the end."""
    detector = SpanDetector(settings)
    spans = detector.push(speech_probabilities(samples, sample_rate)) + detector.finish()
    frame_s, duration_s = FRAME_MS / 1000, len(samples) / sample_rate
    return [(start * frame_s, min(end * frame_s, duration_s)) for start, end in spans]


def weights_file() -> Path:
    """The sequence model in the installed distribution `silero-vad`."""
    found = importlib.util.find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        raise KaikuError("silero-vad is not installed", remedy="Install envs/requirements.lock.")
    file = Path(found.submodule_search_locations[0]) / "data" / "silero_vad_16k_sequence.onnx"
    if not file.is_file():
        raise KaikuError(f"{file} does not exist", expected="silero-vad 6.2 or later, which carries it")
    return file


@cache
def _network() -> Network:
    return Network(weights_file())
