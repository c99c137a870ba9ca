"""Clips for transcribers of random weights."""

import numpy as np

from kaiku.asr import SAMPLE_RATE, Spoken

LENGTHS_S = (0.4, 3, 12, 29.9, 30, 1 / SAMPLE_RATE, 0, 31)
"""Of parts of a window of 30 s, a whole one, hardly anything, nothing, and of more than one."""


def spoken(seconds, language="fi", seed=0):
    """Noise."""
    audio = np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE)).astype(np.float32) * 0.1
    return Spoken(0.0, seconds, seconds, language, audio=audio)


def tone(seconds, language, pitch_hz):
    """A clip that a random model takes for another one than the next."""
    clip = spoken(seconds, language)
    swell = np.sin(2 * np.pi * pitch_hz * np.arange(len(clip.audio)) / SAMPLE_RATE)
    return Spoken(0.0, seconds, seconds, language, audio=(0.5 * swell + 0.01 * clip.audio).astype(np.float32))
