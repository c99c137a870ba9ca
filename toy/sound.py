"""How the toy corpus sounds: espeak-ng speech on low noise, the planted faults, and the encoders."""

import io
import subprocess
from collections.abc import Callable
from functools import cache

import av
import numpy as np
import soundfile
import soxr
from script import VOICES, Recording, Spacing

SAMPLE_RATE = 16_000
ESPEAK_RATE = 22_050
WORDS_PER_MINUTE = 165
PEAK = 0.6
SILENCE = 1e-3  # espeak-ng pads its speech; what stays below this at either end is cut off
NOISE = 3e-4  # about -70 dBFS: a quiet room, not digital silence
OPUS_BIT_RATE = 24_000

Spans = list[tuple[int, int]]  # (start, end) of each sentence, in samples


@cache
def speak(speaker: str, text: str) -> np.ndarray:
    """One sentence by espeak-ng: float32 [samples] at 16 kHz, without silence at its ends, peak 0.6."""
    _, voice = VOICES[speaker]
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_PER_MINUTE), "--stdout", text]
    wav = subprocess.run(command, capture_output=True, check=True).stdout
    # On a pipe espeak-ng cannot know the length beforehand: the one in its 44-byte header means nothing.
    samples = np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32_768
    samples = soxr.resample(samples, ESPEAK_RATE, SAMPLE_RATE, "HQ")
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    samples = samples[loud[0] : loud[-1] + 1]
    return samples * np.float32(PEAK / np.abs(samples).max())


def compose(recording: Recording, rng: np.random.Generator) -> tuple[np.ndarray, Spans]:
    """The sentences of a recording one after another on low noise: float32 [samples] at 16 kHz, and where each lies."""
    spacing = recording.spacing
    parts = [speak(line.speaker, line.text) for line in recording.lines]
    spans: Spans = []
    position = _draw(spacing.lead_s, rng)
    for part in parts:
        start = position + (_draw(spacing.pause_s, rng) if spans else 0)
        position = start + len(part)
        spans.append((start, position))
    samples = NOISE * rng.standard_normal(position + _draw(spacing.trail_s, rng), dtype=np.float32)
    for (start, end), part in zip(spans, parts):
        samples[start:end] += part
    return samples, spans


def _draw(range_s: tuple[float, float], rng: np.random.Generator) -> int:
    return round(rng.uniform(*range_s) * SAMPLE_RATE)


def cut(span: tuple[int, int], spacing: Spacing, rng: np.random.Generator) -> tuple[int, int]:
    """A sentence's span, widened by what a cut leaves around the speech."""
    return span[0] - _draw(spacing.lead_s, rng), span[1] + _draw(spacing.trail_s, rng)


def _clip(samples: np.ndarray, spans: Spans) -> np.ndarray:
    return np.clip(3 * samples, -PEAK, PEAK)


def _hum(mains_hz: float) -> Callable[[np.ndarray, Spans], np.ndarray]:
    def add(samples: np.ndarray, spans: Spans) -> np.ndarray:
        time_s = np.arange(len(samples)) / SAMPLE_RATE
        return samples + sum(0.006 / h * np.sin(2 * np.pi * h * mains_hz * time_s) for h in range(1, 5))

    return add


def _pop(samples: np.ndarray, spans: Spans) -> np.ndarray:
    """A puff of breath on the microphone, 45 Hz for 60 ms, just before each sentence."""
    time_s = np.arange(round(0.06 * SAMPLE_RATE)) / SAMPLE_RATE
    puff = 0.4 * np.hanning(len(time_s)) * np.sin(2 * np.pi * 45 * time_s)
    samples = samples.copy()
    for start, _ in spans:
        samples[start - len(puff) : start] += puff
    return samples


def _narrow(samples: np.ndarray, spans: Spans) -> np.ndarray:
    telephone = soxr.resample(samples, SAMPLE_RATE, 8_000, "HQ")
    return soxr.resample(telephone, 8_000, SAMPLE_RATE, "HQ")[: len(samples)]


# Faults of the sound, planted before encoding, and faults of the file, planted after it.
SOUND_FAULTS: dict[str, Callable[[np.ndarray, Spans], np.ndarray]] = {
    "clipping": _clip,
    "hum_50": _hum(50),
    "hum_60": _hum(60),
    "plosive": _pop,
    "narrow_band": _narrow,
    "over_full_scale": lambda samples, spans: 2.2 * samples,
    "not_a_number": lambda samples, spans: np.full_like(samples, np.nan),
}
FILE_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "header_only": lambda data: data[:64],
    "empty": lambda data: b"",
    "not_audio": lambda data: b"This is a text file, whatever its name says.\n",
}


def _by_libav(samples: np.ndarray, sample_format: str, container_format: str, codec: str, **how: int) -> bytes:
    # Not by libsndfile, which puts a random serial number into Ogg and the time of day into float WAV.
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, SAMPLE_RATE, layout="mono", options={"flags": "+bitexact"}, **how)
        frame = av.AudioFrame.from_ndarray(samples[None], format=sample_format, layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def _by_libsndfile(samples: np.ndarray, **how: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, **how)
    return buffer.getvalue()


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32_767).astype(np.int16)


ENCODERS: dict[str, Callable[[np.ndarray], bytes]] = {
    ".ogg": lambda samples: _by_libav(_int16(samples), "s16", "ogg", "libopus", bit_rate=OPUS_BIT_RATE),
    ".wav": lambda samples: _by_libav(samples.astype(np.float32), "flt", "wav", "pcm_f32le"),
    ".flac": lambda samples: _by_libsndfile(_int16(samples), format="FLAC", subtype="PCM_16"),
    ".mp3": lambda samples: _by_libsndfile(_int16(samples), format="MP3"),
}
