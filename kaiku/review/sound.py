"""A clip as the page plays and draws it: a WAV of 16 bits, and the outline of its waveform."""

import io
import threading
import wave
from collections import OrderedDict

import numpy as np

from kaiku.audio.clips import ClipAudio
from kaiku.errors import KaikuError
from kaiku.settings import Settings
from kaiku.store.clips import WorkspaceClips

PEAKS = 600
"""Columns of a waveform: as many as a wide screen shows."""
HELD = 16
"""Clips that are kept decoded: a browser asks for one in several parts."""


class Sound:
    """The audio of a workspace's clips, for several threads."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.lock = threading.Lock()
        self._clips, self._generation = WorkspaceClips(settings), 0
        self._held: OrderedDict[tuple[str, str, str], ClipAudio] = OrderedDict()

    def of(self, corpus: str, shard: str, clip: str, generation: int = 0) -> ClipAudio:
        """One clip. generation: of the index; another one reads everything anew. KaikuError where it is not here."""
        with self.lock:
            if generation != self._generation:
                self._clips, self._generation = WorkspaceClips(self.settings), generation
                self._held.clear()
            place = corpus, shard, clip
            if place not in self._held:
                if not self._clips.are_here(corpus, shard):
                    raise KaikuError(
                        f"the audio of {corpus}/{shard} is not on this machine",
                        remedy="Pull data/segments and mount the corpus' folder.",
                    )
                try:
                    self._held[place] = self._clips.audio(*place)
                except KeyError:
                    raise KaikuError(
                        f"{clip} is no clip of {corpus}/{shard} any more", remedy="Load the page anew."
                    ) from None
                while len(self._held) > HELD:
                    self._held.popitem(last=False)
            self._held.move_to_end(place)
            return self._held[place]


def wav(audio: ClipAudio) -> bytes:
    """A RIFF WAVE file of a clip, mono, 16 bits; a clip with peaks above 1.0 is turned down to fit."""
    samples = audio.samples / np.float32(max(1.0, float(np.abs(audio.samples).max(initial=0.0))))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, audio.sample_rate, 0, "NONE", ""))
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def peaks(samples: np.ndarray, columns: int = PEAKS) -> list[list[float]]:
    """Lowest and highest sample of each of `columns` equal parts (fewer of a clip of fewer samples)."""
    columns = min(columns, len(samples))
    if not columns:
        return []
    starts = np.arange(columns) * len(samples) // columns
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    return [[round(float(a), 3), round(float(b), 3)] for a, b in zip(low, high)]
