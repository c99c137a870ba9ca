"""Quality checks: facts about a clip, never decisions. One file each, found by its module name.

A check module exposes
  `Settings`   its parameters (Strict), each with a default
  `FIELDS`     measure name -> unit and meaning in one sentence; the names of a check are its own, no other has them
  `LIBRARIES`  the distributions whose version changes the figures
  `measure(clip, settings)`   exactly the measures of FIELDS, each a finite float, or None where it cannot be measured

A check of the text has `NEEDS = "text"` (absent: "audio") and measures a `kaiku.text.spoken.SpokenText`; its `USES`
names the fields that it looks at beside `text` and `language`, and they alone enter keys. Its setting `asr`, if it has
one, names a second transcriber. One with a model has a setting `model`, which names a base model, and in place of
`measure` a `load(settings, folder)` that returns what is called with each clip.

A figure depends on the clip and the settings alone. What cannot be measured is None, never a figure that would pass.
"""

from typing import Protocol

from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

Measures = dict[str, float | None]


class Check(Protocol):
    """What a check module holds."""

    Settings: type[Strict]
    FIELDS: dict[str, str]
    LIBRARIES: tuple[str, ...]

    def measure(self, clip: ClipAudio, settings: Strict) -> Measures: ...
