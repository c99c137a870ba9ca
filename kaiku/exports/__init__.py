"""Exports: a dataset in a form that others read, one module a form.

An exports module exposes `Settings` (Strict), `LIBRARIES`, `NEEDS_TEXT` (a clip without text has no place in it),
`TAKES_TOKENS` (it can hold a codec's tokens) and `write(clips, about, folder, settings)`, which fills an empty folder.
Clips come once, in the order of the dataset's corpora and shards, and are read as they come: nothing may be gathered
but lines of a table. The same clips give the same bytes. LICENCES and turned_down.tsv are laid beside by the caller.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kaiku.exports._audio import levels_of
from kaiku.strict import Strict

LIBRARIES: tuple[str, ...] = ()

SPLITS = ("train", "val", "test")

Recording = tuple[str, str]
"""Corpus and id; of derived clips, those of the clip they were made from."""


@dataclass(frozen=True)
class Pcm:
    """A clip as it is written: int16 [samples] mono at `sample_rate` Hz."""

    levels: np.ndarray
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return len(self.levels) / self.sample_rate


@dataclass(frozen=True)
class ExportClip:
    """A kept clip. name: a file name safe everywhere, unique in the export whatever the case of its letters.

    text is the form that the dataset takes; text_raw and text_normalised are both forms of it. split is that of the
    dataset. derived: the clip was made from another one of the dataset.
    """

    name: str
    corpus: str
    clip: str
    recording: Recording
    derived: bool
    speaker: str
    language: str
    licence: str
    split: str
    text: str
    text_raw: str
    text_normalised: str
    read: Callable[[int | None], tuple[np.ndarray, int]] = field(repr=False, compare=False)
    turned_down: Callable[[str, float], None] = field(repr=False, compare=False)
    codes: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)
    """uint16 [frames, codebooks], where the export names a codec."""

    def pcm(self, sample_rate: int | None) -> Pcm:
        """The clip at a rate in Hz (None: its own); one that would not fit into 16 bits is turned down, and noted."""
        samples, rate = self.read(sample_rate)
        levels, gain_db = levels_of(samples)
        if gain_db:
            self.turned_down(self.name, gain_db)
        return Pcm(levels, rate)


@dataclass(frozen=True)
class Corpus:
    """Where clips of an export come from."""

    name: str
    language: str
    licence: str


@dataclass(frozen=True)
class About:
    """What is known of an export before its first clip is read.

    clips and seconds: by split; recordings: seconds of kept training clips by recording, derived ones left out.
    """

    name: str
    dataset: str
    corpora: tuple[Corpus, ...]
    clips: Mapping[str, int]
    seconds: Mapping[str, float]
    recordings: Mapping[Recording, float]


class Format(Protocol):
    """What an exports module is."""

    Settings: type[Strict]
    LIBRARIES: tuple[str, ...]
    NEEDS_TEXT: bool
    TAKES_TOKENS: bool

    def write(self, clips: Iterator[ExportClip], about: About, folder: Path, settings: Any) -> None:
        """Fill the folder."""
        ...
