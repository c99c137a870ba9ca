"""Sounds made of numbers: a voice that the detector takes for speech, and recordings of it with known pauses."""

import numpy as np

RATE = 16_000
SYLLABLES_PER_S = 5.5
PITCH_HZ = 110
VOWELS = np.array(  # Hz, four formants each
    [(730, 1090, 2440, 3400), (270, 2290, 3010, 3500), (300, 870, 2240, 3400), (530, 1840, 2480, 3500)], float
)
FORMANT_GAINS = (1, 0.6, 0.3, 0.15)
BANDWIDTH_HZ = 100


def voice(seconds: float, seed: int = 0, sample_rate: int = RATE) -> np.ndarray:
    """Harmonics of a wandering pitch through the formants of random vowels, a hiss between them: float32 [samples]."""
    random = np.random.default_rng(seed)
    n = round(seconds * sample_rate)
    t = np.arange(n) / sample_rate
    pitch = PITCH_HZ * (1 + 0.15 * np.sin(3 * t + random.uniform(0, 6)) + 0.05 * np.sin(11 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    syllable, within = np.divmod(t * SYLLABLES_PER_S, 1)
    vowels = VOWELS[random.integers(0, len(VOWELS), int(syllable[-1]) + 2)]
    glide = np.clip((within - 0.6) / 0.4, 0, 1)[:, None]
    formants = vowels[syllable.astype(int)] * (1 - glide) + vowels[syllable.astype(int) + 1] * glide  # [n, 4]
    sound = np.zeros(n)
    for harmonic in range(1, 41):
        distance = (harmonic * pitch[:, None] - formants) / BANDWIDTH_HZ
        gain = (FORMANT_GAINS / (1 + distance**2)).sum(axis=1) * (harmonic * pitch < sample_rate / 2.2)
        sound += gain / harmonic * np.sin(harmonic * phase)
    sound /= np.sqrt(np.mean(sound**2))
    hiss = np.diff(random.standard_normal(n + 1)) * (np.abs(within - 0.05) < 0.12)
    sound = sound * (0.05 + 0.95 * np.sin(np.pi * within) ** 2) + 0.3 * hiss
    sound *= np.minimum(1, np.minimum(t, t[::-1]) / 0.02)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def recording(*parts: float, seed: int = 0, sample_rate: int = RATE) -> np.ndarray:
    """Seconds of voice (positive) and of pause (negative) in a row over faint noise: float32 [samples]."""
    pieces = [
        voice(part, seed + k, sample_rate) if part > 0 else np.zeros(round(-part * sample_rate), np.float32)
        for k, part in enumerate(parts)
    ]
    sound = np.concatenate(pieces)
    return sound + (np.random.default_rng(seed).standard_normal(len(sound)) * 1e-4).astype(np.float32)
