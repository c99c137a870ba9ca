"""Upstream's resampling, a sinc under a Hann window: files of other rates get the codes that upstream writes."""

from math import ceil, gcd

import numpy as np

LIBRARIES = ("numpy",)
ZERO_CROSSINGS = 6  # of the sinc, on each side
ROLLOFF = 0.99  # cut-off as a share of the lower Nyquist frequency
BLOCK = 1 << 16  # output samples at once


def resample(wav: np.ndarray, sample_rate: int, target_rate: int) -> np.ndarray:
    """float32 [samples] at `sample_rate` Hz -> float32 [ceil(samples * target_rate / sample_rate)] at `target_rate` Hz.

    Band-limited interpolation after J. O. Smith (ccrma.stanford.edu/~jos/resample), with torchaudio's parameters.
    """
    if sample_rate == target_rate:
        return wav
    common = gcd(sample_rate, target_rate)
    step, phases = sample_rate // common, target_rate // common
    offsets, kernels = polyphase_kernels(step, phases)
    width = kernels.shape[1]
    length = ceil(len(wav) * phases / step)
    padded = np.pad(wav.astype(np.float64), (width, width + step))
    out = np.empty(length, np.float32)
    for start in range(0, length, BLOCK):
        n = np.arange(start, min(start + BLOCK, length))
        first = n // phases * step + offsets[n % phases] + width
        windows = padded[first[:, None] + np.arange(width)]  # [n, width]
        out[n] = np.einsum("nk,nk->n", windows, kernels[n % phases])
    return out


def polyphase_kernels(step: int, phases: int) -> tuple[np.ndarray, np.ndarray]:
    """The filter of each output phase, where `step` inputs become `phases` outputs.

    Returns the first input of each, int64 [phases], and its weights, float64 [phases, width].
    """
    cutoff = ROLLOFF * min(1.0, phases / step)  # as a share of the input's Nyquist frequency
    reach = ZERO_CROSSINGS / cutoff  # in input samples
    centres = np.arange(phases) * step / phases
    offsets = np.ceil(centres - reach).astype(np.int64)
    inputs = offsets[:, None] + np.arange(ceil(2 * reach) + 1)  # [phases, width]
    t = np.clip((inputs - centres[:, None]) * cutoff, -ZERO_CROSSINGS, ZERO_CROSSINGS)
    hann = np.cos(t * np.pi / ZERO_CROSSINGS / 2) ** 2
    return offsets, cutoff * hann * np.sinc(t)
