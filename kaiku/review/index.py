"""All clips of a dataset as one table in memory, with what was decided of them: what the review page lists.

A shard is read again once a file of its own changed, so that a run that works meanwhile shows as it goes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaiku import plugins
from kaiku.errors import CorruptFile, KaikuError, SettingsError
from kaiku.progress import log
from kaiku.review import files
from kaiku.review.decisions import TOLERANCE_MS, Decision, Lapsed, Reviewed, distance_ms, match
from kaiku.selection import widened
from kaiku.settings import Settings
from kaiku.store import manifests, tables

if TYPE_CHECKING:
    import pandas as pd

DATA = Path("data")
OWN = ("corpus", "shard", "clip", "recording", "start_s", "end_s", "duration_s", "speaker", "language", "text")
OWN += ("confidence", "kept", "reason", "split", "said")
Signature = tuple[tuple[int, int], ...]
_ABSENT = (0, 0)


class Index:
    """The clips of one dataset.

    corpora: those of the dataset whose clips are decided about; derived ones follow the clips they were made from.
    frame: a row per clip with OWN and a column for each measure; kept is None where the selection was not made yet;
    said is the text that the selection took. pairs: corpus and clip of each row; rows: number of a pair's row; decided:
    by pair.
    """

    def __init__(self, settings: Settings, dataset: str):
        if dataset not in settings.datasets:
            raise SettingsError(
                f"datasets.{dataset}: no such dataset{plugins.did_you_mean(dataset, settings.datasets)}",
                expected=f"one of {', '.join(settings.datasets) or 'none: the configuration has no dataset'}",
            )
        self.settings, self.dataset, self.own = settings, dataset, settings.datasets[dataset]
        self.corpora = [corpus for corpus in self.own.corpora if not settings.corpora[corpus].derived]
        self.fields = {
            field: meaning
            for check in settings.checks
            for field, meaning in plugins.find("checks", check).FIELDS.items()
        }
        self.generation = 0
        self.lock = threading.RLock()
        self._shards: dict[tuple[str, str], tuple[Signature, pd.DataFrame]] = {}
        self._reviews: dict[tuple[str, str], tuple[Signature, list[Decision], Reviewed]] = {}
        self.refresh()
        if not len(self.frame):
            raise KaikuError(
                f"dataset {dataset}: no clip of its corpora {', '.join(self.corpora)} is here yet",
                expected="segments in data/segments",
                remedy="Run the workflow first, up to the selection of this dataset.",
            )

    def refresh(self) -> None:
        """Look at the files, and take in what changed."""
        with self.lock:
            if self._read_shards():
                self._join()
                self.generation += 1
            self._read_reviews()

    def decide(
        self, corpus: str, clip: str, verdict: str, text: str | None = None, note: str = "", by: str = ""
    ) -> Decision:
        """Write a decision about a clip as it stands here. text: None leaves it the correction that it has.

        Raises KaikuError where it means nothing or could not be written.
        """
        with self.lock:
            row = self.row(corpus, clip)
            digest = self.contents(corpus, row["shard"]).get(row["recording"])
            if digest is None:
                raise KaikuError(
                    f"{row['recording']} is no longer among the recordings of {corpus}", remedy="Run the workflow."
                )
            times = (round(row["start_s"] * 1000), round(row["end_s"] * 1000))
            wanted = Decision(digest, row["recording"], *times, verdict, text or "", note, by)
            try:
                made = files.decide(corpus, row["shard"], wanted, keeps_text=text is None)
            except OSError as error:
                raise KaikuError(f"the decision was not written: {error}") from error
            self._read_reviews()
            return made

    def row(self, corpus: str, clip: str) -> dict[str, Any]:
        """A clip's row. KaikuError where there is none."""
        number = self.rows.get((corpus, clip))
        if number is None:
            raise KaikuError(
                f"{corpus} has no clip {clip!r}", remedy="Load the page anew: a run may have cut it otherwise."
            )
        return self.frame.iloc[number].to_dict()

    def history(self, corpus: str, clip: str) -> list[Decision]:
        """All that was decided of a clip, the first first."""
        row = self.row(corpus, clip)
        decided = self._reviews.get((corpus, row["shard"]), ((), [], Reviewed()))[1]
        own = row["recording"], self.contents(corpus, row["shard"]).get(row["recording"])
        mine = [d for d in decided if (d.recording, d.digest) == own]
        near = [d for d in mine if distance_ms(d, row["start_s"], row["end_s"]) <= TOLERANCE_MS]
        return sorted(near, key=lambda d: d.time)

    def lapsed(self) -> list[tuple[str, Lapsed]]:
        """Decisions that fit no clip any more, with their corpora; those of shards without clips too."""
        return [(corpus, one) for (corpus, _), (*_, found) in sorted(self._reviews.items()) for one in found.lapsed]

    def contents(self, corpus: str, shard: str) -> dict[str, str]:
        """Digests of the recordings that a shard's clips were made of."""
        manifest = manifests.audio_path(files.MANIFESTS / corpus, shard)
        made_of = manifests.made_of(manifest, Path("work/carry/segment") / corpus / shard)
        path = made_of if made_of.exists() else manifest
        return manifests.read_digests(path) if path.exists() else {}

    # --- reading

    def _places(self) -> Iterator[tuple[str, str]]:
        for corpus in self.corpora:
            for path in sorted((DATA / "segments" / corpus).glob("[0-9]*.parquet")):
                yield corpus, path.stem

    def _paths(self, corpus: str, shard: str) -> dict[str, list[Path]]:
        name = f"{corpus}/{shard}.parquet"
        measures = [DATA / "measures" / name, DATA / "text_measures" / self.own.asr / name, DATA / "comparisons" / name]
        return {
            "segments": [DATA / "segments" / name],
            "transcripts": [DATA / "transcripts" / self.own.asr / name],
            "measures": measures,
            "selection": [DATA / "selection" / self.dataset / name],
        }

    def _read_shards(self) -> bool:
        changed = False
        for place in dict.fromkeys([*self._places(), *self._shards]):
            paths = self._paths(*place)
            signature = _signature(path for group in paths.values() for path in group)
            known = self._shards.get(place)
            if known and (known[0] == signature or self._is_being_made(place, known[0], signature)):
                continue
            changed = True
            if not paths["segments"][0].exists():
                del self._shards[place]
                continue
            try:
                self._shards[place] = signature, self._read(*place, paths)
            except (KaikuError, FileNotFoundError) as error:
                log(f"{'/'.join(place)} is left as it was shown: {error}")
        return changed or not hasattr(self, "frame")

    def _is_being_made(self, place: tuple[str, str], before: Signature, now: Signature) -> bool:
        """Whether a run has taken a file away to make it anew: until it is back, the shard is shown as it was."""
        taken = any(was != _ABSENT and found == _ABSENT for was, found in zip(before, now))
        manifest = manifests.audio_path(files.MANIFESTS / place[0], place[1])
        return taken and manifest.exists() and bool(manifests.read_digests(manifest))

    def _read(self, corpus: str, shard: str, paths: dict[str, list[Path]]) -> "pd.DataFrame":
        """A shard's clips; what is not there yet is empty."""
        import pandas as pd

        segments = tables.segments(paths["segments"][0])
        segments = segments[segments["status"] == "ok"]
        found = segments[["clip", "recording", "start_s", "end_s", "speaker", "language"]].copy()
        found.insert(0, "shard", shard)
        found.insert(0, "corpus", corpus)
        found["duration_s"] = found["end_s"] - found["start_s"]
        form = "text_raw" if self.own.text == "raw" else "text"
        found = _joined(found, paths["transcripts"], tables.transcripts, {form: "text", "confidence": "confidence"})
        columns = {"kept": "kept", "reason": "reason", "split": "split", "text": "said"}
        found = _joined(found, paths["selection"], tables.selection, columns)
        found["kept"] = found["kept"].astype(object).where(found["kept"].notna(), None)
        present = [table for path in paths["measures"] if (table := _table(path, tables.measures)) is not None]
        if not present:
            return found
        measures = pd.concat(present, ignore_index=True)
        wide = widened(measures, set(measures["measure"].dropna()) - set(OWN)).drop(columns="status")
        return found.merge(wide, on="clip", how="left")

    def _join(self) -> None:
        import pandas as pd

        parts = [frame for _, (_, frame) in sorted(self._shards.items()) if len(frame)]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(OWN))
        for name in ("corpus", "shard", "speaker", "language", "reason", "split"):
            frame[name] = frame[name].fillna("").astype("category")
        self.frame = frame
        self.measures = sorted(set(frame.columns) - set(OWN))
        self.pairs = list(zip(frame["corpus"], frame["clip"]))
        self.rows = {pair: number for number, pair in enumerate(self.pairs)}

    def _read_reviews(self) -> None:
        found = {}
        for corpus in self.corpora:
            for path in sorted((files.REVIEW / corpus).glob("[0-9]*.tsv")):
                place = corpus, path.stem
                signature = (*_signature([path]), self.generation)
                known = self._reviews.get(place)
                if known is None or known[0] != signature:
                    decisions = files.read(path)
                    known = signature, decisions, match(self._times(*place), self.contents(*place), decisions)
                found[place] = known
        self._reviews = found
        self.decided = {
            (corpus, clip): decision
            for (corpus, _), (*_, reviewed) in found.items()
            for clip, decision in reviewed.by_clip.items()
        }

    def _times(self, corpus: str, shard: str) -> list[tuple[str, str, float, float]]:
        _, frame = self._shards.get((corpus, shard), (None, None))
        return [] if frame is None else list(zip(*(frame[n] for n in ("clip", "recording", "start_s", "end_s"))))


def _joined(found: "pd.DataFrame", paths: list[Path], read: Any, columns: dict[str, str]) -> "pd.DataFrame":
    """With columns of another table of the same clips, under other names; empty where there is no such table."""
    other = _table(*paths, read)
    if other is None:
        return found.assign(**dict.fromkeys(columns.values()))
    other = other.loc[other["clip"].notna(), ["clip", *columns]].rename(columns=columns)
    return found.merge(other, on="clip", how="left")


def _table(path: Path, read: Callable[[Path], "pd.DataFrame"]) -> "pd.DataFrame | None":
    """A table, or None where there is none that can be read: the clips are shown without it."""
    try:
        return read(path) if path.exists() and path.stat().st_size else None
    except CorruptFile as error:
        log(f"shown without it: {error}")
        return None


def _signature(paths: Iterable[Path]) -> Signature:
    def of(path: Path) -> tuple[int, int]:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return _ABSENT
        return stat.st_mtime_ns, stat.st_ino

    return tuple(map(of, paths))
