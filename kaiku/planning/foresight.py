"""What a configuration is bound to run into, told before anything is spent: splits that hold nothing out, numbers
that nobody reads out, consents withdrawn by nobody.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from kaiku.selection import FEW_RECORDINGS
from kaiku.selection.splits import place_of
from kaiku.settings import Settings
from kaiku.store import manifests
from kaiku.store.manifests import AudioRow
from kaiku.store.scan import Scanned
from kaiku.text import language as languages

MANIFESTS = Path("data/manifests")
READ_AT_MOST = 5000
"""Recordings of a dataset that are looked at one by one; larger ones are not foreseen."""
SURE = 14.0
"""So many units expected in a split leave it empty once in a million draws: not looked at."""


def warnings(settings: Settings, scanned: Mapping[str, Scanned]) -> list[str]:
    """One sentence for each."""
    trained_on = dict.fromkeys(run.dataset for run in settings.runs.values())
    found = [line for name in trained_on for line in _empty_split(settings, name, scanned)]
    found += _unread_numbers(settings, scanned)
    return [*found, *(line for corpus in scanned for line in _nobody(settings, corpus, scanned[corpus]))]


def _unread_numbers(settings: Settings, corpora: Collection[str]) -> Iterator[str]:
    """Corpora whose normalised texts keep their figures; a language that was misspelt is one of those."""
    datasets = [own for own in settings.datasets.values() if own.text == "normalised"]
    normalised = {settings.origin(corpus) for own in datasets for corpus in own.corpora}
    for corpus in (name for name in corpora if name in normalised):
        tag = settings.corpora[corpus].language
        if tag != "und" and tag.split("-")[0].lower() not in languages.codes():
            yield f"{corpus}: no rules for the numbers of language {tag}; they stay as they are written"


def _empty_split(settings: Settings, name: str, scanned: Mapping[str, Scanned]) -> Iterator[str]:
    """Whether nothing of a dataset will be held out for choosing the best checkpoint, as far as names tell."""
    split = settings.datasets[name].split
    corpora = dict.fromkeys(map(settings.origin, settings.datasets[name].corpora))
    if not all(corpus in scanned for corpus in corpora) or split.by == "clip" or not split.val:
        return
    sizes = [scanned[corpus].recordings for corpus in corpora]
    by_recording, share = split.by == "recording", split.shares()[0]
    in_blocks = by_recording and share and min(sizes) <= FEW_RECORDINGS
    if in_blocks or not 0 < sum(sizes) <= READ_AT_MOST or (by_recording and share * sum(sizes) > SURE):
        return
    rows = [row for corpus in corpora for row in _recordings(corpus, scanned[corpus])]
    patterns = split.patterns()[0]
    if patterns:
        if not any(fnmatchcase(row.recording, pattern) for row in rows for pattern in patterns):
            yield (
                f"dataset {name}: split.val [{', '.join(patterns)}] names none of its {len(rows)} recordings, "
                "and a training would have nothing to choose its checkpoint by"
            )
        return
    units = {row.recording if by_recording else row.speaker for row in rows}
    highest = max(place_of(f"{split.salt}\0{unit}") for unit in units)
    if highest < 1 - share:
        enough = math.ceil((1 - highest) * 100 + 1e-9) / 100
        yield (
            f"dataset {name}: split.val {share:g} holds out none of its {len(units)} {split.by}s, and a training would "
            f"have nothing to choose its checkpoint by. Write split.val: {enough:g}, or name recordings: val: [id, ...]"
        )


def _nobody(settings: Settings, corpus: str, found: Scanned) -> Iterator[str]:
    for speaker in settings.corpora[corpus].consent.withdrawn:
        paths = (manifests.audio_path(MANIFESTS / corpus, shard) for shard in found.shards)
        if not any(manifests.speaking(path, [speaker]) for path in paths):
            yield f"{corpus}: consent withdrawn by {speaker}, of whom there is no recording (any more)"


def _recordings(corpus: str, found: Scanned) -> Iterator[AudioRow]:
    for shard in found.shards:
        yield from manifests.read_audio(manifests.audio_path(MANIFESTS / corpus, shard))
