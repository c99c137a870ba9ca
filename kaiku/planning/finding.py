"""A clip or recording by its id, or by a part of it, in whatever corpus it stands."""

import difflib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kaiku.augmentation.follow import source_clip
from kaiku.errors import CorruptFile, KaikuError
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import manifests, rows
from kaiku.store.shards import shard_of

MANIFESTS, SEGMENTS = Path("data/manifests"), Path("data/segments")
SHOWN = 12


@dataclass(frozen=True)
class Place:
    """Where a recording stands, and one of its clips; clip is empty where the recording as a whole is meant."""

    corpus: str
    shard: str
    recording: str
    clip: str = ""


def find(settings: Settings, wanted: str, corpus: str | None = None) -> Place:
    """The clip or recording of this id. KaikuError with near ones where there is none, or where several have it."""
    corpora = _corpora(settings, corpus)
    exact = [place for name in corpora for place in _exactly(settings, name, wanted)]
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise KaikuError(
            f"{wanted!r} stands in {', '.join(place.corpus for place in exact)}", remedy="Say which with CORPUS=."
        )
    near = _near(wanted, list(_ids(corpora)))
    raise KaikuError(
        f"no clip or recording is called {wanted!r}",
        expected=f"one of {', '.join(near)}" if near else f"an id as data/segments/{{{','.join(corpora)}}} hold it",
    )


def clips_of(place: Place) -> list[str]:
    """Clips of a recording, in order."""
    return [clip for recording, clip in _pairs(_segments(place)) if recording == place.recording and clip]


def _corpora(settings: Settings, corpus: str | None) -> list[str]:
    if corpus is None:
        return list(settings.corpora)
    if corpus not in settings.corpora:
        raise KaikuError(
            f"CORPUS={corpus}: no such corpus", expected=f"one of {', '.join(settings.corpora)}", remedy="Mend CORPUS=."
        )
    return [corpus]


def _exactly(settings: Settings, corpus: str, wanted: str) -> Iterator[Place]:
    """A clip is called as its recording is, with `@` and its times behind where it is a part of it.

    A derived one has the name of its corpus behind.
    """
    pinned = MANIFESTS / settings.origin(corpus) / "corpus.json"
    if not pinned.exists():
        return
    count = json.loads(pinned.read_text())["shards"]
    named = source_clip(wanted) if settings.corpora[corpus].derived else wanted
    for recording in dict.fromkeys((named, named.rpartition("@")[0], wanted)):
        place = Place(corpus, shard_of(recording, count), recording)
        if recording and recording == wanted and _is_recording(place):
            clips = clips_of(place)
            yield Place(corpus, place.shard, recording, clips[0] if clips == [recording] else "")
        elif recording and wanted in clips_of(place):
            yield Place(corpus, place.shard, recording, wanted)


def _is_recording(place: Place) -> bool:
    path = manifests.audio_path(MANIFESTS / place.corpus, place.shard)
    known = {row.recording for row in manifests.read_audio(path)} if path.exists() else set()
    return place.recording in known or any(recording == place.recording for recording, _ in _pairs(_segments(place)))


def _ids(corpora: Collection[str]) -> Iterator[str]:
    for corpus in corpora:
        for path in sorted((SEGMENTS / corpus).glob("[0-9]*.parquet")):
            for recording, clip in _pairs(path):
                yield from filter(None, (clip, recording))


def _near(wanted: str, ids: Collection[str]) -> list[str]:
    """Ids that hold what was asked for, else those that look like it."""
    holding = [id for id in dict.fromkeys(ids) if wanted.lower() in id.lower()]
    return (holding or difflib.get_close_matches(wanted, dict.fromkeys(ids), n=SHOWN, cutoff=0.5))[:SHOWN]


def _segments(place: Place) -> Path:
    return SEGMENTS / place.corpus / f"{place.shard}.parquet"


def _pairs(path: Path) -> list[tuple[str, str | None]]:
    if not path.is_file() or not path.stat().st_size:
        return []
    try:
        table = rows.read(path, columns=["recording", "clip"])
    except CorruptFile as error:
        log(f"left out: {error}")
        return []
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
