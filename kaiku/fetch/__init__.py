"""Corpora and base models from where they are published: whole, of the right digest, or not there at all.

A folder is filled beside its place and renamed. What was fetched is recorded, so that the same digest or commit is
asked for ever after, even where the configuration names none (trust on first use).
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch import download, hub, unpack
from kaiku.fetch.source import Source
from kaiku.progress import log, tell
from kaiku.report.licence import licence_warnings
from kaiku.store import atomic, digest
from kaiku.store.owner import Owner, owning

__all__ = ["RECORD", "WORK", "Record", "Source", "fetching", "read_record", "say_licence"]

WORK = Path("work/fetch")
RECORD = "fetched.json"
"""Name of the record of a fetch."""

Record = dict[str, Any]


@contextmanager
def fetching(source: Source, target: Path, known: Mapping[str, Any] | None = None) -> Iterator[tuple[Path, Record]]:
    """Fetch into a folder beside `target`, which takes its place when the block ends well; yields it and the record.

    known: the record of an earlier fetch, by default the one in work/fetch; where it is of the same source, its digest
    or commit is asked for. What arrived of a download that broke off stays in work/fetch, and the next call goes on.
    The record is {url, sha256, bytes} or {hub, revision, commit, bytes}, the same for the same content.
    Raises KaikuError where the source cannot be reached, refuses, or gives something else than was expected.
    """
    address = [source.url] if source.url else [source.hub, source.revision]
    with owning(WORK / digest.of_value(address)) as owner:
        fill = _archive if source.url else _repository
        with atomic.folder(target) as beside:
            record = fill(source, beside, dict(known or read_record(owner.folder / RECORD) or {}), owner)
            atomic.write_json(owner.folder / RECORD, record)
            yield beside, record
            owner.check()
        _clear(owner.folder)


def read_record(path: Path) -> Record | None:
    """The record of an earlier fetch; None where there is none. Raises CorruptFile where it cannot be read."""
    if not path.exists() or not path.stat().st_size:  # an empty one marks a fetch that did not finish
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        remedy = "Restore it from git; or delete it, and the next fetch is trusted as a first one."
        raise CorruptFile(f"{path}: {error}", remedy=remedy) from error


def say_licence(what: str, licence: str) -> None:
    """The licence of what is fetched, in the log; on the screen too where commercial use is not simply allowed."""
    log(f"licence of {what}: {licence}")
    for warning in licence_warnings([(what, licence)]):
        tell(warning)


def _archive(source: Source, folder: Path, known: Record, owner: Owner) -> Record:
    trusted = source.sha256 or (known.get("sha256") if known.get("url") == source.url else None)
    archive = download.download(source.url, owner.folder, sha256=trusted)
    if not trusted:
        tell(f"{source.url}: no digest was given; to pin what you got, write `sha256: {archive.sha256}`")
    try:
        unpack.unpack(archive.path, folder, called=source.url)
    except KaikuError:
        archive.path.unlink()
        raise
    return {"url": source.url, "sha256": archive.sha256, "bytes": archive.path.stat().st_size}


def _repository(source: Source, folder: Path, known: Record, owner: Owner) -> Record:
    same = (known.get("hub"), known.get("revision")) == (source.hub, source.revision)
    commit = known.get("commit") if same else None
    snapshot = hub.download(source.hub, source.revision, owner.folder / "files", commit=commit)
    for name, path in snapshot.files.items():
        atomic.link(path, folder / name)
    size = sum(path.stat().st_size for path in snapshot.files.values())
    return {"hub": source.hub, "revision": source.revision, "commit": snapshot.commit, "bytes": size}


def _clear(folder: Path) -> None:
    """Empty a folder of work but for the record, and the lock that another process may wait for."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in ("lock", "owner", RECORD):
            path.unlink()
