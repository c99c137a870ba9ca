"""Quality checks: facts about a clip, never decisions. One file each, found by its module name.

A check module exposes
  `Settings`   its parameters (Strict)
  `FIELDS`     measure name -> unit and meaning in one sentence; the names of a check are its own, no other has them
  `LIBRARIES`  the distributions whose version changes the figures
  `NEEDS`      what it looks at: "audio" (also where the name is absent), "text", or "corpus"
and
  `measure(clip, settings)`   exactly the measures of FIELDS, each a finite float, or None where it cannot be measured

A check of the text (NEEDS "text") measures a `kaiku.text.spoken.SpokenText`; its `USES` names the fields that it looks
at beside `text` and `language`, and they alone enter keys. Its setting `asr`, if it has one, names a second
transcriber.

A figure depends on the clip and the settings alone. What cannot be measured is None, never a figure that would pass.

A check that must load something first has, instead of `measure`,
  `load(settings, folder)`    an object with `measure(clip)`; folder: files of the base model that the setting `model`
                              names, or None
  `tiny(folder)`              writes small files that `load` reads, and returns the settings to load them with
and, where it measures texts, perhaps
  `examine(settings, folder, languages)`   raises KaikuError where those files could measure none of these languages;
                              called before any check loads or measures anything
Its settings `model` and `reference` (a file) are `by_content`: digests of what they name enter its keys. A setting
`device` says where it runs.

A check that compares the clips of a corpus (NEEDS "corpus") has, instead of `measure`,
  `describe(clip)`            what it needs of one clip, float32 [n] with the same n for all, or None where it cannot be
                              told; without settings, so that none of them makes a description stale
  `compare(described, wanted, settings)`   the measures of the clips at the places `wanted`; those of a clip are equal
                              whatever else is wanted, and in whatever shards the clips lie
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

Measures = dict[str, float | None]


class Check(Protocol):
    """What the module of a check of audio holds."""

    Settings: type[Strict]
    FIELDS: dict[str, str]
    LIBRARIES: tuple[str, ...]

    def measure(self, clip: ClipAudio, settings: Strict) -> Measures: ...


class Loaded(Protocol):
    """A check with what it had to load."""

    def measure(self, clip: ClipAudio) -> Measures: ...


class LoadedCheck(Protocol):
    """What the module of a check that loads something holds."""

    Settings: type[Strict]
    FIELDS: dict[str, str]
    LIBRARIES: tuple[str, ...]

    def load(self, settings: Strict, folder: Path | None) -> Loaded: ...

    def tiny(self, folder: Path) -> Strict: ...


@dataclass(frozen=True)
class Described:
    """All clips of a corpus that could be described, in the order of their names.

    clips, speakers: a name each; vectors: float32 [clips, n].
    """

    clips: tuple[str, ...]
    speakers: tuple[str, ...]
    vectors: np.ndarray


class Comparison(Protocol):
    """What the module of a check that compares clips holds."""

    Settings: type[Strict]
    FIELDS: dict[str, str]
    LIBRARIES: tuple[str, ...]
    NEEDS: str

    def describe(self, clip: ClipAudio) -> np.ndarray | None: ...

    def compare(self, described: Described, wanted: Sequence[int], settings: Strict) -> list[Measures]: ...
