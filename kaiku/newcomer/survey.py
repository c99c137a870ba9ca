"""A look at a folder of recordings: how it is laid out, how much is there, who speaks, what is wrong.

Nothing is copied. Lengths are taken from headers. Above `LOOKED_AT` recordings, an even draw is, the rest is reckoned.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kaiku import plugins
from kaiku.audio.decode import open_audio
from kaiku.errors import KaikuError
from kaiku.layouts import Problem, Recording, without_suffix
from kaiku.layouts._recognition import FALLBACK, Guess, recognise
from kaiku.store import scan

LOOKED_AT = 5000
SHOWN = 3


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    lengths: seconds by path of the recordings looked at, None where the header does not tell; broken: what is no audio,
    by path. problems: as the layout tells them. files: all paths, relative.
    """

    root: Path
    layout: str
    guesses: Sequence[Guess]
    recordings: Sequence[Recording]
    problems: Sequence[Problem]
    files: frozenset[str]
    lengths: dict[str, float | None] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def looked_at(self) -> int:
        """Recordings whose header was read."""
        return len(self.lengths) + len(self.broken)

    @property
    def hours(self) -> float:
        """Of all recordings, reckoned from those whose length is known."""
        known = [length for length in self.lengths.values() if length is not None]
        return sum(known) / max(len(known), 1) * (len(self.recordings) - self.reckoned(len(self.broken))) / 3600

    def reckoned(self, count: int) -> int:
        """A count among the recordings looked at, as one among all."""
        return round(count * len(self.recordings) / max(self.looked_at, 1))

    def outside(self, shortest_s: float, longest_s: float) -> tuple[int, int]:
        """About how many recordings are shorter and longer than some bounds."""
        known = [length for length in self.lengths.values() if length is not None]
        return self.reckoned(sum(s < shortest_s for s in known)), self.reckoned(sum(s > longest_s for s in known))

    @cached_property
    def speakers(self) -> Counter[str]:
        """Recordings by speaker; "" where nothing tells."""
        return Counter(recording.speaker for recording in self.recordings)

    @cached_property
    def languages(self) -> Counter[str]:
        """Recordings by language; `und` where nothing tells."""
        return Counter(recording.language for recording in self.recordings)

    @property
    def with_text(self) -> int:
        """Recordings that have a text."""
        return sum(1 for recording in self.recordings if recording.texts)

    @property
    def is_precut(self) -> bool:
        """Whether a recording is a clip already."""
        return plugins.find("layouts", self.layout).PRECUT

    def kinds_of_problems(self) -> list[tuple[str, int, list[str], str]]:
        """Problems by what is wrong, the most frequent first: what, how many, first examples, what to do."""
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            if problem.what.endswith("have no speaker") and not any(self.speakers):
                continue  # a new workspace calls them all by its own name
            kinds.setdefault(_kind(problem.what), []).append(problem)
        ordered = sorted(kinds.values(), key=lambda found: -len(found))
        return [(of[0].what, len(of), [p.where for p in of[:SHOWN]], of[0].remedy) for of in ordered]


def survey(root: Path, *, layout: str = "", speaker: str = "", language: str = "") -> Survey:
    """Look at a folder. layout: as the user says; empty: the one that finds most texts.

    Raises KaikuError where there is no folder, no audio, or nothing may be read.
    """
    files, left_out = _files(root)
    remembered: dict[tuple[str, str], Any] = {}

    def read(path: str, parse: Callable[[bytes], Any]) -> Any:
        call = (path, f"{parse.__module__}.{parse.__qualname__}")
        if call not in remembered:
            remembered[call] = parse(_bytes(root / path))
        return remembered[call]

    guesses = recognise(files, read)
    if not guesses:
        suffixes = Counter(Path(path).suffix.lower() or "no suffix" for path in files).most_common(SHOWN)
        raise KaikuError(
            f"DATA={root}: {len(files):,} files, none of them audio "
            f"(most are {', '.join(f'{suffix}: {count:,}' for suffix, count in suffixes) or 'hidden'})",
            expected="recordings as .wav, .flac, .mp3, .ogg, .m4a, ...",
            remedy="Name the folder that holds the recordings, or give them the suffix of their format.",
        )
    chosen = layout or guesses[0].layout
    module = plugins.find("layouts", chosen, "LAYOUT")
    given = {"speaker": speaker} | ({"language": language} if language else {})
    found = list(module.discover(files, read, module.Settings.model_validate(given)))
    recordings = [one for one in found if isinstance(one, Recording)]
    problems = [*left_out, *(one for one in found if isinstance(one, Problem))]
    if not recordings:
        raise KaikuError(
            f"DATA={root}: the layout {chosen} finds no recording in it",
            expected=f"a folder as docs/layouts.md shows it, or LAYOUT={guesses[0].layout}, which {guesses[0].why}",
        )
    return Survey(root, chosen, guesses, recordings, problems, frozenset(files), *_lengths(root, recordings))


def is_unsure(guesses: Sequence[Guess]) -> bool:
    """Whether another layout finds as many texts as the first."""
    return len(guesses) > 1 and guesses[1].layout != FALLBACK and guesses[0].share == guesses[1].share


def tokens_beside(found: Survey, suffix: str = ".npy") -> dict[str, str]:
    """Files with tokens, by the path of the recording that they stand beside."""
    beside = {recording.path: without_suffix(recording.path) + suffix for recording in found.recordings}
    return {path: other for path, other in beside.items() if other in found.files}


def _files(root: Path) -> tuple[list[str], list[Problem]]:
    if not root.is_dir():
        what = scan.why_nothing(root, [])
        raise KaikuError(f"DATA={root} {what}", expected="the folder of your recordings", remedy="Mend DATA=.")
    try:
        kept, left_out = scan.split(scan.walk(root))
    except OSError as error:
        raise KaikuError(
            f"DATA={root}: {error.filename} cannot be read ({error.strerror})", remedy="Mend its permissions."
        ) from error
    if not kept:
        raise KaikuError(
            f"DATA={root} {scan.why_nothing(root, left_out)}",
            expected="recordings",
            remedy="Mount the disk, unpack them, or mend DATA=.",
        )
    return list(kept), left_out


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KaikuError(f"{path} cannot be read ({error.strerror})", remedy="Mend its permissions.") from error


def _lengths(root: Path, recordings: Sequence[Recording]) -> tuple[dict[str, float | None], dict[str, str]]:
    lengths: dict[str, float | None] = {}
    broken: dict[str, str] = {}
    step = max(1, -(-len(recordings) // LOOKED_AT))
    for recording in recordings[::step]:
        try:
            with open_audio(root / recording.path) as audio:
                lengths[recording.path] = audio.stated_frames and audio.stated_frames / audio.sample_rate
        except (KaikuError, OSError) as error:
            broken[recording.path] = str(error).replace(f"{root / recording.path}: ", "")
    return lengths, broken


def _kind(what: str) -> str:
    """What is wrong without the particulars of one file: numbers, and what follows a name."""
    return " ".join(re.sub(r"\d[\d,.]*", "#", what).split()[:4])
