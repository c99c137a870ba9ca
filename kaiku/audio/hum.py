"""Mains hum of a recording: how far harmonics of 50 or 60 Hz stand out of the background between speech.

Measured over the whole recording where nobody speaks, since a voice has harmonics of its own in the same range; not at
all with less than a second of that, or where it is digital silence: a gate leaves nothing to be heard between words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000
MAINS_HZ = (50, 60)
HARMONICS = 6
STRONGEST = 3
FRAME = SAMPLE_RATE // 2  # 0.5 s: bins of 2 Hz, narrow enough to tell 50 from 60 and hum from rumble
HOP = FRAME // 2
PEAK_BINS = 1  # +-2 Hz: mains frequency wanders, and so do tapes
NEAR_BINS, FAR_BINS = 4, 10  # the neighbourhood, 8 to 20 Hz away: clear of the peak's own skirts
BINS = (HARMONICS * max(MAINS_HZ)) * FRAME // SAMPLE_RATE + FAR_BINS + 1
GUARD = round(0.06 * SAMPLE_RATE)  # next to speech, where breaths and reverberation are
LEAST = SAMPLE_RATE  # samples between speech below which there is no figure
SILENCE = 1e-10  # mean square, -100 dB: nothing but a decoder's rounding
MOST_FRAMES = 256  # a minute of background tells; beyond that every second frame is kept, then every fourth...
WINDOW = np.hanning(FRAME).astype(np.float32)


@dataclass(frozen=True)
class Hum:
    """score_db: the three strongest of six harmonics above their neighbourhood, on average. mains_hz: 50 or 60.

    harmonics: Hz of those that stand out, as they were found: mains wander, and tapes run fast or slow.
    """

    score_db: float
    mains_hz: int
    harmonics: tuple[float, ...]

    def is_above(self, limit_db: float) -> bool:
        """Whether the recording hums."""
        return self.score_db >= limit_db

    @property
    def named(self) -> str:
        """The harmonics that stand out, "60,120,180"."""
        return ",".join(map(hz, self.harmonics))


class HumMeter:
    """Listens to a recording at 16 kHz in constant memory; the figure does not depend on how the samples come.

    limit_db: how far a harmonic stands above its neighbourhood if it stands out.
    """

    def __init__(self, limit_db: float):
        self._limit_db = limit_db
        self._samples = np.zeros(0, np.float32)
        self._first = 0  # position of the first sample held
        self._next = 0  # where the next frame begins
        self._is_new = True  # whether that is the first one of its stretch
        self._seen = self._background = 0  # frames, and samples in them
        self._stride = 1
        self._spectra: list[np.ndarray] = []

    def push(self, samples: np.ndarray) -> None:
        """float32 [n] at 16 kHz."""
        done = min(max(0, self._next - self._first), len(self._samples))
        self._samples = np.concatenate([self._samples[done:], samples])
        self._first += done

    def speech(self, start: int, end: int) -> None:
        """A span of speech, in samples at 16 kHz; spans come in order."""
        self.advance(start)
        self._next, self._is_new = max(self._next, end + GUARD), True

    def advance(self, settled: int) -> None:
        """No further span begins before this sample."""
        self._listen(settled - GUARD)

    def finish(self) -> Hum | None:
        """What the recording came to; None with less than a second of background that can be heard."""
        self._listen(self._first + len(self._samples))
        if self._background < LEAST:
            return None
        power = np.median(np.array(self._spectra, np.float64), axis=0)
        return hum_in(10 * np.log10(power + 1e-12), self._limit_db)

    def _listen(self, end: int) -> None:
        """Every frame of the stretch that ends before `end`."""
        end = min(end, self._first + len(self._samples))
        while self._next + FRAME <= end:
            at = self._next - self._first
            frame = self._samples[at : at + FRAME]
            if np.vdot(frame, frame) > SILENCE * FRAME:
                self._hear(frame)
                self._background += FRAME if self._is_new else HOP
            self._next, self._is_new = self._next + HOP, False

    def _hear(self, frame: np.ndarray) -> None:
        if self._seen % self._stride == 0:
            self._spectra.append(np.square(np.abs(np.fft.rfft(frame * WINDOW)[:BINS])).astype(np.float32))
            if len(self._spectra) == MOST_FRAMES:
                self._spectra, self._stride = self._spectra[::2], 2 * self._stride
        self._seen += 1


def hum_in(spectrum_db: np.ndarray, limit_db: float) -> Hum:
    """The mains frequency whose harmonics stand higher in a spectrum in dB with bins of 2 Hz, from 0 Hz on."""
    score, negative = max((score_of(heights(spectrum_db, mains)), -mains) for mains in MAINS_HZ)
    mains = -negative
    found = [k for k, height in enumerate(heights(spectrum_db, mains), start=1) if height >= limit_db]
    base_hz = _fundamental_hz(spectrum_db, mains, found)
    return Hum(score, mains, tuple(round(k * float(base_hz), 2) for k in found))


def heights(spectrum_db: np.ndarray, mains_hz: int) -> list[float]:
    """dB of each harmonic above its neighbourhood."""
    found = []
    for harmonic in range(1, HARMONICS + 1):
        k = _bin(harmonic * mains_hz)
        peak = spectrum_db[k - PEAK_BINS : k + PEAK_BINS + 1].max()
        around = np.concatenate(
            [spectrum_db[k - FAR_BINS : k - NEAR_BINS + 1], spectrum_db[k + NEAR_BINS : k + FAR_BINS + 1]]
        )
        found.append(float(peak - np.median(around)))
    return found


def score_of(found: Sequence[float]) -> float:
    """Mean of the strongest harmonics."""
    return float(np.mean(sorted(found)[-STRONGEST:]))


def hz(frequency: float) -> str:
    """A frequency as it is written: no more digits than it needs, two behind the point at most."""
    return f"{frequency:.2f}".rstrip("0").rstrip(".")


def _fundamental_hz(spectrum_db: np.ndarray, mains_hz: int, found: Sequence[int]) -> float:
    """The fundamental by the places of its harmonics between bins; a higher one tells it more exactly, and weighs more.

    Under a Hann window the two bins beside a steady tone stand to each other as 2 - d to 1 + d, for a tone d bins above
    the first (Grandke 1983).
    """
    total_hz, harmonics = 0.0, 0
    for harmonic in found:
        k = _bin(harmonic * mains_hz)
        k += int(np.argmax(spectrum_db[k - PEAK_BINS : k + PEAK_BINS + 1])) - PEAK_BINS
        left, peak, right = 10 ** (spectrum_db[k - 1 : k + 2] / 20)
        ratio = max(left, right) / peak
        shift = (2 * ratio - 1) / (1 + ratio) * (1 if right > left else -1)
        total_hz += (k + shift) * SAMPLE_RATE / FRAME
        harmonics += harmonic
    return total_hz / harmonics if harmonics else float(mains_hz)


def _bin(frequency: int) -> int:
    return frequency * FRAME // SAMPLE_RATE
