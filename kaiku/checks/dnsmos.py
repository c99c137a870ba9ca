"""DNSMOS: what listeners would say of speech, noise and the whole, as networks predict it (Reddy et al., ICASSP 2022).

The networks are those in the installed distribution `speechmos`, run as its authors run them: windows of 9.01 s, one a
second, means over them; a shorter clip is repeated. The package itself is not imported, since it loads two libraries
more for what is done here in a few lines. Dear beside the other checks: named in the configuration by who wants it.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kaiku.audio.clips import ClipAudio
from kaiku.audio.spectra import mel_filters
from kaiku.audio.vad import SAMPLE_RATE
from kaiku.errors import KaikuError
from kaiku.strict import Strict

LIBRARIES = ("soxr", "numpy", "speechmos", "onnxruntime")
FIELDS = {
    "dnsmos_overall": "1 to 5, predicted opinion of the whole (P.835): above 3 in good recordings; none for silence.",
    "dnsmos_speech": "1 to 5, predicted opinion of the speech signal alone.",
    "dnsmos_background": "1 to 5, predicted opinion of the background: 5 where none intrudes.",
    "dnsmos_p808": "1 to 5, predicted overall opinion by the older network (P.808).",
}
WINDOW_S = 9.01
WINDOW = int(WINDOW_S * SAMPLE_RATE)
MEL_SIZE, MEL_HOP, MEL_BANDS = 321, 160, 120
RANGE_DB = 80
# From a network's output to the scale of opinions, as published with the networks: quadratic, linear, constant.
OVERALL, SPEECH, BACKGROUND = (
    (-0.06766283, 1.11546468, 0.04602535),
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
)


class Settings(Strict):
    """Nothing to set."""


def measure(clip: ClipAudio, settings: Settings) -> dict[str, float | None]:
    samples = np.clip(clip.samples_16k, -1, 1)  # what the networks were trained on cannot exceed full scale
    if not samples.any():
        return dict.fromkeys(FIELDS)
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    windows = int(len(samples) // SAMPLE_RATE - WINDOW_S) + 1  # as the authors count them
    opinions = np.mean([_opinions(samples[k * SAMPLE_RATE :][:WINDOW]) for k in range(windows)], axis=0)
    return dict(zip(FIELDS, map(float, opinions), strict=True))


def _opinions(window: np.ndarray) -> tuple[float, float, float, float]:
    """Overall, speech, background, P.808 of float32 [WINDOW]."""
    p835, p808 = _networks()
    speech, background, overall = p835.run(None, {"input_1": window[None]})[0][0]
    listened = p808.run(None, {"input_1": _mel(window[:-MEL_HOP])[None]})[0][0][0]
    curves = (OVERALL, overall), (SPEECH, speech), (BACKGROUND, background)
    return *(float(np.polyval(curve, value)) for curve, value in curves), float(listened)


def _mel(samples: np.ndarray) -> np.ndarray:
    """Mel spectrogram in dB below its own peak, moved to about -1..1: float32 [frames, 120]."""
    padded = np.pad(samples, MEL_SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_SIZE)[::MEL_HOP]
    power = np.square(np.abs(np.fft.rfft(frames * _hann(), axis=1)))
    mel = power @ _filters()
    db = 10 * np.log10(np.maximum(mel, 1e-10)) - 10 * np.log10(max(float(mel.max()), 1e-10))
    return ((np.maximum(db, db.max() - RANGE_DB) + 40) / 40).astype(np.float32)


@cache
def _hann() -> np.ndarray:
    return np.hanning(MEL_SIZE + 1)[:-1].astype(np.float32)


@cache
def _filters() -> np.ndarray:
    return mel_filters(MEL_BANDS, MEL_SIZE, SAMPLE_RATE, 0, SAMPLE_RATE / 2)


@cache
def _networks() -> tuple[Any, Any]:
    """The networks of P.835 and P.808. One thread each: several clips at once are the workflow's business."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    how = {"sess_options": options, "providers": ["CPUExecutionProvider"]}
    p835, p808 = (onnxruntime.InferenceSession(_weights(name), **how) for name in ("sig_bak_ovr", "model_v8"))
    return p835, p808


def _weights(name: str) -> str:
    found = importlib.util.find_spec("speechmos")
    if found is None or not found.submodule_search_locations:
        raise KaikuError("speechmos is not installed", remedy="Install envs/requirements.lock, or leave dnsmos out.")
    file = Path(found.submodule_search_locations[0]) / "dnsmos_models" / f"{name}.onnx"
    if not file.is_file():
        raise KaikuError(f"{file} does not exist", expected="speechmos 0.0.1 or later, which carries it")
    return str(file)
