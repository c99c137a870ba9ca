"""Clips of a shard as audio: from the shard's tar, or from the raw file where a clip is one."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from kaiku.audio.clips import ClipAudio
from kaiku.audio.decode import read_mono
from kaiku.audio.flac import decode_flac
from kaiku.errors import KaikuError
from kaiku.settings import Settings
from kaiku.store import digest, items, rows
from kaiku.store.artefacts import SEGMENTS
from kaiku.store.containers import Tar
from kaiku.store.items import Item, Outcome


class ClipStore:
    """The clips of one shard.

    rows_path, audio_path: the segments artefact; root: the corpus' folder, for clips that are raw files themselves.
    """

    def __init__(self, rows_path: Path, audio_path: Path, root: Path):
        self.rows = [row for row in rows.read(rows_path, SEGMENTS).to_pylist() if row["status"] == rows.STATUS_OK]
        self.root = root
        self._read = Tar(".flac").open(audio_path)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def audio(self, row: dict[str, Any]) -> ClipAudio:
        """A clip's samples, float32 mono at the recording's own rate.

        Raises KaikuError if a raw file is not there or not what it was.
        """
        if not row["path"]:
            return ClipAudio(*decode_flac(bytes(self._read(row["offset"], row["size"])), row["gain_db"]))
        path = self.root / row["path"]
        if not path.is_file():
            raise KaikuError(f"{path} is not there", remedy="Mount the corpus' folder, or pull what is made from it.")
        if digest.of_file(path) != row["digest"]:
            raise KaikuError(
                f"{path} changed while the workflow ran", remedy="Run again; the new content is taken then."
            )
        return ClipAudio(*read_mono(path))

    def look(self, missing: Iterable[Item], see: Callable[[str, ClipAudio], Outcome]) -> Iterator[tuple[Item, Outcome]]:
        """What comes of items whose work is (row, check), those of one clip side by side: it is decoded once for them.

        see: of a check's name and the clip.
        """
        for _, of_clip in groupby(missing, key=lambda item: item.work[0]["clip"]):
            wanted = list(of_clip)
            decoded = items.attempt(self.audio, wanted[0].work[0])
            for item in wanted:
                broken = isinstance(decoded, Outcome)
                yield item, decoded if broken else items.attempt(partial(see, item.work[1]), decoded)


class WorkspaceClips:
    """Clips of any shard of a workspace by name; shards are opened as they are asked for."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._shards: dict[tuple[str, str], tuple[ClipStore, dict[str, Any]]] = {}

    def audio(self, corpus: str, shard: str, clip: str) -> ClipAudio:
        """One clip's samples."""
        if (corpus, shard) not in self._shards:
            store = ClipStore(*self._paths(corpus, shard), self.settings.corpus_root(corpus))
            self._shards[corpus, shard] = store, {row["clip"]: row for row in store}
        store, by_name = self._shards[corpus, shard]
        return store.audio(by_name[clip])

    def are_here(self, corpus: str, shard: str) -> bool:
        """Whether this machine holds a shard's audio, and not its tokens only."""
        rows_path, audio_path = self._paths(corpus, shard)
        if not (rows_path.exists() and audio_path.exists()):
            return False
        referenced = any(row["path"] for row in ClipStore(rows_path, audio_path, Path()))
        return not referenced or self.settings.corpus_root(corpus).is_dir()

    @staticmethod
    def _paths(corpus: str, shard: str) -> tuple[Path, Path]:
        base = Path("data/segments") / corpus / shard
        return base.with_suffix(".parquet"), base.with_suffix(".tar")


def audio_key(row: dict[str, Any]) -> str:
    """What stands for a clip's audio in keys: the digest of its bytes, and the gain that reading takes off."""
    return f"{row['digest']} {row['gain_db']!r}"
