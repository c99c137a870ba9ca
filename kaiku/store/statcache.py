"""Digests by stat: a file or folder is read again only if its size, times or inode are not those of last time."""

import pickle
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kaiku.listing import visible_files
from kaiku.progress import track
from kaiku.store import atomic, digest

FORMAT = 1
QUIET_BYTES = 256 << 20
"""Up to this much is hashed without a progress line."""
_STAMP = 32  # characters of the digest before the pickle

Signature = tuple[Any, ...]


def save(path: Path, value: Any) -> None:
    """Write a disposable value whole, with its digest before it."""
    content = pickle.dumps(value, protocol=5)
    atomic.write_bytes(path, digest.of_bytes(content).encode() + content)


def load(path: Path) -> Any:
    """The value that was saved; None where there is none, or it is damaged."""
    content = path.read_bytes() if path.exists() else b""
    stamp, pickled = content[:_STAMP], content[_STAMP:]
    return pickle.loads(pickled) if content and digest.of_bytes(pickled).encode() == stamp else None


def signature(path: Path) -> Signature | None:
    """What changes whenever a file or folder does, also where its mtime was put back; None where there is nothing."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    if not path.is_dir():
        return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return tuple((p.relative_to(path).as_posix(), signature(p)) for p in visible_files(path))


class Digests:
    """Digests of a workspace's files and folders, remembered in `cache`."""

    def __init__(self, root: Path, cache: Path):
        self.root, self.cache = root, cache
        stored = load(cache)
        self._known: dict[str, tuple[Signature, str]] = stored[1] if stored and stored[0] == FORMAT else {}
        self._looked: dict[str, str | None] = {}
        self._changed = False

    def look(self, paths: Iterable[str]) -> None:
        """Bring the digests of some paths up to date; what is new is read four at a time."""
        fresh: dict[str, Signature] = {}
        for path in paths:
            if path not in self._looked:
                found = signature(self.root / path)
                known = self._known.get(path)
                if found is not None and (known is None or known[0] != found):
                    fresh[path] = found
                else:
                    self._looked[path] = known[1] if found is not None else None
        if not fresh:
            return
        self._changed = True
        with ThreadPoolExecutor(4) as pool:
            results = zip(fresh, pool.map(self._read, fresh), strict=True)
            if sum(_size(s) for s in fresh.values()) > QUIET_BYTES:
                results = track(results, total=len(fresh), label="reading artefacts not seen before", unit="file")
            for path, value in results:
                self._looked[path] = value
                self._known[path] = (fresh[path], value)

    def of(self, path: str) -> str | None:
        """Digest of a file, or of a folder's tree; None where nothing stands there."""
        self.look([path])
        return self._looked[path]

    def look_again(self) -> None:
        """Take nothing for granted that was seen so far: something has written since."""
        self._looked.clear()

    def resign(self, paths: Iterable[str]) -> None:
        """Take over the signatures of paths whose times or links this process itself just changed."""
        for path in paths:
            found = signature(self.root / path)
            if path in self._known and found is not None:
                self._known[path] = (found, self._known[path][1])
                self._changed = True

    def relinked(self, paths: Iterable[str]) -> None:
        """Take over the signatures of paths that this process itself hard-linked, which only their change times show.

        One that shows more was written meanwhile, and is read again.
        """
        for path in paths:
            found, known = signature(self.root / path), self._known.get(path)
            if known is not None and found is not None and _but_change_times(found) == _but_change_times(known[0]):
                self.resign([path])
            else:
                self._looked.pop(path, None)

    def save(self) -> None:
        """Write the cache if anything in it changed; what is gone is forgotten."""
        if self._changed:
            gone = {path for path, value in self._looked.items() if value is None}
            save(self.cache, (FORMAT, {path: known for path, known in self._known.items() if path not in gone}))
            self._changed = False

    def _read(self, path: str) -> str:
        place = self.root / path
        return digest.of_tree(place) if place.is_dir() else digest.of_file(place)


def _but_change_times(found: Signature) -> Signature:
    """A signature without the times of its inodes."""
    if found and isinstance(found[0], int):
        return (found[0], found[1], found[3])
    return tuple((name, _but_change_times(own)) for name, own in found)


def _size(found: Signature) -> int:
    return found[0] if found and isinstance(found[0], int) else sum(_size(s) for _, s in found)
