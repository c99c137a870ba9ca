"""How good a codec is on clips it was not fitted on: nearness to the recording, bits, and use of the codebooks."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kaiku.codecs import Codec
from kaiku.errors import KaikuError
from kaiku.metrics import signal
from kaiku.metrics.figures import measured, not_measured
from kaiku.progress import track

LIBRARIES = ("numpy", "pystoi", "scipy", "torch")

# Published codecs reach 6 to 8.5 dB at 4 kbit/s and none of them 15: a gate on SNR would be a gate on phase.
SNR_TARGET = "reported, no gate: published codecs of 4 kbit/s reach 6 to 8.5"


def codec_figures(codec: Codec, clips: Sequence[np.ndarray]) -> dict[str, dict[str, Any]]:
    """Figures of a codec over held-out clips, float32 [samples] each at the codec's rate; means over the clips."""
    if not clips:
        raise KaikuError("No clip to measure the codec on", expected="at least one held-out clip")
    codes = [codec.encode(clip) for clip in track(clips, total=len(clips), label="codec quality", unit="clip")]
    return {**_nearness(codec, clips, codes), **code_figures(codec, codes)}


def code_figures(codec: Codec, codes: Sequence[np.ndarray]) -> dict[str, dict[str, Any]]:
    """Bits and use of the codebooks; codes: uint16 [frames, codebooks] each."""
    frames = np.concatenate(codes).astype(np.int64)  # [frames, codebooks]
    frame_rate = codec.sample_rate / codec.hop
    counts = [np.bincount(level, minlength=size) for level, size in zip(frames.T, codec.codebook_sizes)]
    entropies = [_entropy_bits(count) for count in counts]
    used = [np.count_nonzero(count) / min(size, len(frames)) for count, size in zip(counts, codec.codebook_sizes)]
    nominal = frame_rate * math.fsum(math.log2(size) for size in codec.codebook_sizes)
    return {
        "bitrate": measured(nominal, "bit/s", "frames per second times the bits of all codebooks"),
        "entropy_rate": measured(
            frame_rate * math.fsum(entropies), "bit/s", "the same at the codes' own entropy; low in few frames"
        ),
        "perplexity": measured(
            2 ** float(np.mean(entropies)),
            "codes",
            "how many equally frequent codes a codebook is worth, geometric mean",
            levels=[2**bits for bits in entropies],
        ),
        "codes_used": measured(
            float(np.mean(used)),
            "of the codes",
            "codes that occur, of those that could in so many frames",
            "0.5 and up on each level: less is a collapsing codebook",
            levels=used,
        ),
    }


def _nearness(codec: Codec, clips: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> dict[str, dict[str, Any]]:
    meanings = {
        "snr_db": ("dB", "signal over difference, lag removed", SNR_TARGET),
        "si_sdr_db": ("dB", "the same, blind to a change of level", ""),
        "stoi": ("of 1", "short-time objective intelligibility", ""),
        "mel_distance": (
            "decades",
            "mean difference of log10 mel magnitudes, 80 bands; ranks codecs of one kind only",
            "",
        ),
    }
    if not codec.decodes:
        return {name: not_measured("this codec does not decode", text) for name, (_, text, _) in meanings.items()}
    pairs = [(clip, codec.decode(code)) for clip, code in zip(clips, codes)]
    values = {
        "snr_db": [signal.snr_db(a, b) for a, b in pairs],
        "si_sdr_db": [signal.si_sdr_db(a, b) for a, b in pairs],
        "stoi": [signal.stoi(a, b, codec.sample_rate) for a, b in pairs],
        "mel_distance": [signal.mel_distance(a, b, codec.sample_rate) for a, b in pairs],
    }
    return {name: _mean_figure(values[name], *meanings[name]) for name in meanings}


def _mean_figure(values: Sequence[float | None], unit: str, meaning: str, target: str) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    mean = math.fsum(known) / len(known) if known else math.nan
    return measured(mean, unit, meaning, target, clips=len(known))


def _entropy_bits(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
