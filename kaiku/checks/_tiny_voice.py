"""Two seconds that the speech detector takes for speech, for checks that compare with a reference."""

from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
FORMANTS_HZ = np.array([(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480)])
SYLLABLES_PER_S = 5


def write(path: Path) -> Path:
    """A pitch and its harmonics through the formants of four vowels in turn, as a wav file."""
    import soundfile

    seconds = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    pitch_hz = 120 * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * seconds))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    syllable, within = np.divmod(seconds * SYLLABLES_PER_S, 1)
    formants_hz = FORMANTS_HZ[syllable.astype(int) % len(FORMANTS_HZ)]  # [samples, 3]
    sound = np.zeros(len(seconds))
    for harmonic in range(1, 31):
        near = (harmonic * pitch_hz[:, None] - formants_hz) / 100
        sound += (np.array([1, 0.6, 0.3]) / (1 + near**2)).sum(axis=1) / harmonic * np.sin(harmonic * phase)
    sound *= 0.05 + np.sin(np.pi * within) ** 2
    soundfile.write(path, (0.5 * sound / np.abs(sound).max()).astype(np.float32), SAMPLE_RATE)
    return path
