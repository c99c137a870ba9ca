"""Why a training has nothing to learn from, by what stands in its dataset's selections."""

from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.selection import account, added
from kaiku.selection.advice import nothing_kept
from kaiku.settings import Settings
from kaiku.store import tables


def refusal(settings: Settings, dataset: str, split: str) -> KaikuError:
    """The error to raise where a split came to nothing: the commonest reason, and what to change."""
    own = settings.datasets[dataset]
    paths = [path for c in own.corpora for path in sorted(Path("data/selection", dataset, c).glob("[0-9]*.parquet"))]
    found = added(account(tables.selection(path)) for path in paths)
    return nothing_kept(dataset, own, found, split)
