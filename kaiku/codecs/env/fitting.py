"""Fitting an env codec: codebooks by k-means, the post-net by gradient, and what came of it on held-out clips."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kaiku.codecs import checked_audio
from kaiku.codecs.env import Settings, codec
from kaiku.codecs.env.clustering import class_means, kmeans
from kaiku.codecs.env.postnet import new_postnet, train_postnet
from kaiku.codecs.env.quantiser import (
    BANDS,
    Quantiser,
    framed,
    in_blocks,
    log_band_energies,
    mdct,
    mel_bands,
    nearest,
    whitening,
)
from kaiku.errors import KaikuError
from kaiku.metrics import signal
from kaiku.progress import log
from kaiku.store import atomic

LIBRARIES = ("numpy", "torch")

ENVELOPE_ITERATIONS = 12
RESIDUAL_ITERATIONS = 8
RESIDUAL_FRAMES = 12_000  # drawn for each residual codebook
SMOOTH_SHARE = 0.7  # of an envelope's power that is averaged over a band; the rest keeps single bins
QUIETEST = 1e-5  # floor of an envelope, so that silence never divides by zero


def fit(
    settings: Settings, clips: Sequence[np.ndarray], folder: Path, *, held_out: Sequence[np.ndarray], progress: Callable
) -> None:
    """Fit, write and measure; see `kaiku.codecs.env.fit`."""
    wav = _training_audio(settings, clips)
    quantiser = fit_quantiser(settings, wav)
    postnet = new_postnet(settings.hop, settings.codebook_size, settings.post_width, settings.seed)
    train_postnet(postnet, quantiser, wav, steps=settings.post_steps, seed=settings.seed, progress=progress)
    codec.write(folder, settings, quantiser, postnet)
    metrics = measure(codec.EnvCodec.load(folder, settings), held_out)
    metrics["fitted_on_s"] = round(len(wav) / settings.sample_rate, 3)
    atomic.write_json(folder / "metrics.json", metrics)


def fit_quantiser(settings: Settings, wav: np.ndarray) -> Quantiser:
    """The codebooks, from one long piece of audio."""
    frames, size = framed(wav, settings.hop), settings.codebook_size
    log(f"fitting {settings.levels} codebooks of {size} on {len(frames)} frames")
    features = in_blocks(partial(log_band_energies, sample_rate=settings.sample_rate), frames)  # [T, BANDS]
    energies = kmeans(features, size, ENVELOPE_ITERATIONS, _rng(settings, "envelope"))
    coefficients = in_blocks(mdct, frames).astype(np.float32)  # [T, hop]
    classes = nearest(features, energies)
    envelopes = _envelopes(coefficients, classes, size, settings.sample_rate)
    residual = coefficients / whitening(envelopes[classes], settings.envelope_exponent).astype(np.float32)
    rng, codebooks = _rng(settings, "residual"), []
    for _ in range(settings.levels - 1):
        drawn = np.sort(rng.permutation(len(residual))[: max(RESIDUAL_FRAMES, size)])
        codebooks.append(kmeans(residual[drawn], size, RESIDUAL_ITERATIONS, rng))
        residual -= codebooks[-1][nearest(residual, codebooks[-1])]
    return Quantiser(settings.sample_rate, settings.envelope_exponent, energies, envelopes, np.stack(codebooks))


def measure(env: codec.EnvCodec, held_out: Sequence[np.ndarray]) -> dict:
    """Means over held-out clips, before and after the post-net; None where no clip could be measured."""
    clips = [checked_audio(wav) for wav in held_out]
    codes = [env.encode(wav) for wav in clips]
    bits = sum(np.log2(env.codebook_sizes))
    return {
        "held_out_clips": len(clips),
        "held_out_s": round(sum(map(len, clips)) / env.sample_rate, 3),
        "bitrate_bps": round(float(bits) * env.sample_rate / env.hop, 3),
        "before": _quality(env, clips, [env.decode_unmended(c) for c in codes]),
        "after": _quality(env, clips, [env.decode(c) for c in codes]),
        "levels": usage(np.concatenate(codes), env.codebook_sizes) if codes else None,
    }


def usage(codes: np.ndarray, codebook_sizes: Sequence[int]) -> list[dict]:
    """For each codebook, how many codes occur in `[frames, codebooks]` and their perplexity, exp of the entropy."""
    levels = []
    for level, size in enumerate(codebook_sizes):
        counts = np.bincount(codes[:, level], minlength=size)
        shares = counts[counts > 0] / len(codes)
        perplexity = float(np.exp(-(shares * np.log(shares)).sum()))
        levels.append({"codes": size, "used": int((counts > 0).sum()), "perplexity": round(perplexity, 3)})
    return levels


def _quality(env: codec.EnvCodec, clips: list[np.ndarray], decoded: list[np.ndarray]) -> dict:
    pairs = list(zip(clips, decoded))
    return {
        "snr_db": _mean(signal.snr_db(*pair) for pair in pairs),
        "stoi": _mean(signal.stoi(*pair, env.sample_rate) for pair in pairs),
        "mel_distance": _mean(signal.mel_distance(*pair, env.sample_rate) for pair in pairs),
    }


def _mean(values) -> float | None:
    measured = [value for value in values if value is not None]
    return round(float(np.mean(measured)), 4) if measured else None


def _training_audio(settings: Settings, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Clips end to end in seeded order, no more than `fit_s`; float32 `[samples]`."""
    order = _rng(settings, "clips").permutation(len(clips))
    wanted = int(settings.fit_s * settings.sample_rate)
    chosen, samples = [], 0
    for i in order:
        if samples >= wanted:
            break
        chosen.append(checked_audio(clips[i])[: wanted - samples])
        samples += len(chosen[-1])
    frames = -(-samples // settings.hop)
    if frames < settings.codebook_size:
        needed_s = settings.codebook_size * settings.hop / settings.sample_rate
        raise KaikuError(
            f"{len(chosen)} of {len(clips)} clips hold {frames} frames ({samples / settings.sample_rate:.1f} s)",
            expected=f"at least {settings.codebook_size} frames ({needed_s:.1f} s), one per code, better 20 times that",
            remedy="Add recordings, raise fit_s, or lower codebook_size.",
        )
    return np.concatenate(chosen)


def _envelopes(coefficients: np.ndarray, classes: np.ndarray, size: int, sample_rate: int) -> np.ndarray:
    """Typical MDCT magnitude of each class, float32 `[size, hop]`: its mean power, partly smoothed over bands."""
    hop = coefficients.shape[1]
    power, _ = class_means(coefficients.astype(np.float64) ** 2, classes, size)
    bands = mel_bands((np.arange(hop) + 0.5) * sample_rate / (2 * hop), BANDS)  # [hop, BANDS]
    spread = bands / np.maximum(bands.sum(axis=1, keepdims=True), 1e-12)
    smooth = power @ bands @ spread.T
    return np.maximum(np.sqrt(SMOOTH_SHARE * smooth + (1 - SMOOTH_SHARE) * power), QUIETEST).astype(np.float32)


def _rng(settings: Settings, purpose: str) -> np.random.Generator:
    """One generator per purpose, so that one draw more in one place moves nothing in another."""
    return np.random.Generator(np.random.PCG64([settings.seed, *purpose.encode()]))
