"""What changed in a corpus since something was made of it: recordings and given texts, by what stands for each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kaiku.store import digest, manifests

OTHER = "speakers, languages or paths of recordings changed"
"""Said of a manifest that changed though no recording did."""


@dataclass(frozen=True)
class Change:
    """Recordings of some shards that came, were edited, went, or took another name."""

    added: int = 0
    edited: int = 0
    removed: int = 0
    renamed: int = 0

    def words(self) -> str:
        """`2 recordings added, 1 edited`; empty where nothing changed."""
        counts = {name: count for name, count in vars(self).items() if count}
        parts = [f"{count} {name}" for name, count in counts.items()]
        if parts:
            first = next(iter(counts.values()))
            parts[0] = parts[0].replace(" ", f" recording{'s' if first > 1 else ''} ", 1)
        return ", ".join(parts)


def since_kept(manifest: Path, kept: Path) -> Change:
    """Compare an audio manifest with the one that was kept beside what was made of it."""
    old, new = ({row.recording: row.digest for row in manifests.read_audio(path)} for path in (kept, manifest))
    return compare(old, new)


def texts_since_kept(manifest: Path, kept: Path) -> int:
    """Given texts that were edited since a text manifest was kept; of recordings that came or went, none."""
    old, new = (Counter(manifests.read_text(path)) for path in (kept, manifest))
    stayed = {row.recording for row in old} & {row.recording for row in new}
    gone, come = (Counter({row: n for row, n in c.items() if row.recording in stayed}) for c in (old - new, new - old))
    return max(gone.total(), come.total())


def compare(old: Mapping[str, str], new: Mapping[str, str]) -> Change:
    """What became of recordings, given something that stands for the content of each, before and now."""
    gone = Counter(old[name] for name in old.keys() - new.keys())
    come = Counter(new[name] for name in new.keys() - old.keys())
    renamed = (gone & come).total()
    edited = sum(old[name] != new[name] for name in old.keys() & new.keys())
    return Change(come.total() - renamed, edited, gone.total() - renamed, renamed)


def item_key(key_text: str, *inputs: str) -> str:
    """An item's key under the text of a stage's key, as `StageKey.item` makes it: that of an earlier one, too."""
    return digest.of_value([digest.of_bytes(key_text.encode()), *inputs])
