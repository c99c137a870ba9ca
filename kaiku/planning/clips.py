"""How many clips recordings come to: known where they were cut, else as many a byte as those that were."""

from functools import cache
from pathlib import Path

from kaiku import stages
from kaiku.errors import CorruptFile
from kaiku.settings import Settings
from kaiku.store import manifests, rows, scan
from kaiku.store.manifests import AudioRow


class Clips:
    """Clips of the workspace's recordings, by shard, and an estimate for those not yet cut."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.of_shard, self.manifest = cache(self.of_shard), cache(self.manifest)
        self._per_byte, self._of_all = cache(self._per_byte), cache(self._of_all)

    def of_shard(self, corpus: str, shard: str) -> dict[str, list[str]]:
        """Clips by recording as the segments hold them; a recording without a clip has none.

        Segments that cannot be read hold nothing: whoever needs them says so, unless they are to be made again anyway.
        """
        path = Path(f"data/segments/{corpus}/{shard}.parquet")
        found: dict[str, list[str]] = {}
        if path.is_file() and path.stat().st_size:
            try:
                table = rows.read(path, columns=["recording", "clip"])
            except CorruptFile:
                return found
            for recording, clip in zip(*(column.to_pylist() for column in table.columns), strict=True):
                found.setdefault(recording, []).extend([clip] if clip else [])
        return found

    def manifest(self, corpus: str, shard: str) -> dict[str, AudioRow]:
        """A shard's recordings; none where its corpus is still to be fetched."""
        path = manifests.audio_path(Path("data/manifests") / self.settings.origin(corpus), shard)
        return {row.recording: row for row in manifests.read_audio(path)} if path.exists() else {}

    def expected(self, corpus: str, recordings: list[AudioRow]) -> int | None:
        """About how many clips some recordings of a corpus will come to; None where nothing was ever cut."""
        if not recordings:
            return 0
        if stages.segment_mode(self.settings, corpus) == "identity":
            return len(recordings)
        per_byte = self._per_byte(corpus) or self._of_all()
        return None if per_byte is None else max(1, round(per_byte * sum(_bytes(row) for row in recordings)))

    def _per_byte(self, corpus: str) -> float | None:
        clips = size = 0
        for shard in scan.read(Path("data/manifests") / self.settings.origin(corpus)).shards:
            manifest = self.manifest(corpus, shard)
            for recording, of_recording in self.of_shard(corpus, shard).items():
                if recording in manifest:
                    clips += len(of_recording)
                    size += _bytes(manifest[recording])
        return clips / size if size else None

    def _of_all(self) -> float | None:
        known = [self._per_byte(c) for c in self.settings.corpora if stages.segment_mode(self.settings, c) == "vad"]
        known = [share for share in known if share is not None]
        return sum(known) / len(known) if known else None


def _bytes(row: AudioRow) -> int:
    """Bytes of a recording as if it were lossless."""
    return row.bytes * scan.LOSSY_GROWTH.get(Path(row.path).suffix.lower(), 1)
