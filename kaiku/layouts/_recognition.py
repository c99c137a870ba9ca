"""Which layout a folder has: each is tried as it is configured by default, and the one that finds most texts wins."""

from collections.abc import Collection
from typing import NamedTuple

from kaiku import plugins
from kaiku.layouts import Read, Recording, audio_files, visible

FALLBACK = "recordings"
"""The layout that asks for no texts, and so fits any folder."""


class Guess(NamedTuple):
    """A layout, the share of the folder's audio files whose text it finds (0..1), and that in words."""

    layout: str
    share: float
    why: str


def recognise(files: Collection[str], read: Read) -> list[Guess]:
    """Layouts that find texts in a folder, the likeliest first; last `recordings`, unless it is among them already.

    files, read: as of `discover`. Empty where there is no audio. A layout with settings that have no default (a user's
    own) is not tried. No audio is opened; each text as often as there are ways to parse it, by `read`'s memory.
    """
    audio = len(audio_files(visible(files)))
    if not audio:
        return []
    found = {name: _texts(name, files, read) for name in plugins.known("layouts")}
    guesses = [
        Guess(name, texts / audio, f"finds the texts of {texts:,} of {audio:,} recordings")
        for name, texts in found.items()
        if texts
    ]
    guesses.sort(key=lambda guess: (-guess.share, guess.layout))
    if not found.get(FALLBACK):
        guesses.append(Guess(FALLBACK, 0.0, f"takes the {audio:,} recordings without texts"))
    return guesses


def _texts(name: str, files: Collection[str], read: Read) -> int:
    """How many recordings have a text as the layout reads the folder."""
    layout = plugins.find("layouts", name)
    if any(field.is_required() for field in layout.Settings.model_fields.values()):
        return 0
    found = layout.discover(files, read, layout.Settings())
    return sum(1 for recording in found if isinstance(recording, Recording) and recording.texts)
