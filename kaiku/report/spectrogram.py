"""Spectrograms small enough to stand in a page: log-mel as an indexed PNG."""

import base64
import io

import numpy as np

BANDS = 80
TOP_HZ = 8_000.0
RANGE_DB = 70.0
COLUMNS_PER_S = 100
MAX_COLUMNS = 600
# Dark to light in even steps of lightness, so that it reads in grey and on both page backgrounds.
ANCHORS = ((12, 18, 34), (28, 58, 92), (30, 112, 120), (112, 168, 112), (246, 226, 150))
COLOURS = 64


def spectrogram_uri(audio: np.ndarray, sample_rate: int) -> str:
    """The log-mel spectrogram of a clip as a PNG data URI, low bands at the bottom, 70 dB below its loudest point."""
    from PIL import Image

    shades = (levels(audio, sample_rate) * (COLOURS - 1)).round().astype(np.uint8)  # [bands, columns]
    image = Image.frombytes("P", shades.shape[::-1], shades[::-1].tobytes())
    image.putpalette(_palette())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def levels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mel levels of a clip from 0 (70 dB down) to 1 (its loudest point), float [bands, columns]."""
    import librosa

    if not len(audio):
        return np.zeros((BANDS, 1))
    columns = min(MAX_COLUMNS, max(1, round(len(audio) / sample_rate * COLUMNS_PER_S)))
    power = librosa.feature.melspectrogram(
        y=audio,
        sr=sample_rate,
        n_fft=2 ** round(np.log2(sample_rate * 0.032)),
        hop_length=max(1, len(audio) // columns),
        n_mels=BANDS,
        fmax=min(TOP_HZ, sample_rate / 2),
    )
    level_db = 10 * np.log10(np.maximum(power, 1e-10))
    return np.clip(1 + (level_db - level_db.max()) / RANGE_DB, 0, 1)


def _palette() -> list[int]:
    places = np.linspace(0, len(ANCHORS) - 1, COLOURS)
    channels = [np.interp(places, range(len(ANCHORS)), channel) for channel in zip(*ANCHORS)]
    return np.stack(channels, axis=1).round().astype(int).ravel().tolist()
