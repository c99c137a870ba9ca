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
from kaiku.fetch.room import NoRoom
from kaiku.fetch.source import Source
from kaiku.progress import log, tell
from kaiku.report.licence import licence_warnings
from kaiku.store import atomic, digest
from kaiku.store.owner import owning

__all__ = ["RECORD", "WORK", "Record", "Source", "fetching", "read_record", "say_licence"]

WORK = Path("work/fetch")
RECORD = "fetched.json"
"""Name of the record of a fetch."""

Record = dict[str, Any]


@contextmanager
def fetching(source: Source, target: Path, known: Mapping[str, Any] | None = None) -> Iterator[tuple[Path, Record]]:
    """Fetch into a folder beside `target`, which takes its place when the block ends well; yields it and the record.

    known: the record of an earlier fetch, by default the one in work/fetch; where it is of the same address, or of the
    same repository and revision, its digest or commit is asked for, whichever files are wanted now. What arrived of a
    download that broke off stays in work/fetch, and the next call for this target goes on. The record is {url, sha256,
    bytes} (of several archives, with `also`, a list of the like) or {hub, revision, commit, bytes}, the same for the
    same content.
    Raises KaikuError where the source cannot be reached, refuses, or gives something else than was expected, or where
    `target` is a link to nothing.
    """
    origin = [a.url for a in source.archives] or [source.hub, source.revision]
    pin = WORK / "pins" / f"{digest.of_value(origin)}.json"
    place = _behind_links(target)
    with owning(WORK / digest.of_value(str(target))) as owner:
        work = owner.folder / digest.of_value([*origin, *source.files])
        fill = _archives if source.url else _repository
        atomic.sweep(place)  # what a killed fetch had unpacked
        with atomic.folder(place) as beside:
            record = fill(source, beside, dict(known or read_record(pin) or {}), work)
            atomic.write_json(pin, record)
            yield beside, record
            owner.check()
        for arrived in owner.folder.iterdir():
            if arrived.is_dir():  # not the lock, which another process may wait for
                shutil.rmtree(arrived)


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


def _behind_links(target: Path) -> Path:
    """Where a folder really is: one that is a link to another disk is filled there."""
    if target.is_symlink() and not target.exists():
        raise KaikuError(
            f"{target} is a link to {target.readlink()}, which is not there",
            expected="a link to a folder",
            remedy="Mount its disk, or make that folder, or remove the link.",
        )
    return target.resolve()


def _archives(source: Source, folder: Path, known: Record, work: Path) -> Record:
    trusted = {record.get("url"): record.get("sha256") for record in (known, *known.get("also", []))}
    arrived = []
    for number, wanted in enumerate(source.archives):
        place = work / f"also-{number}" if number else work
        atomic.make_folder(place)
        sha256 = wanted.sha256 or trusted.get(wanted.url)
        archive = download.download(wanted.url, place, mirrors=wanted.mirrors, sha256=sha256, md5=wanted.md5)
        if not sha256:
            tell(f"{wanted.url}: no SHA-256 was given; to pin what you got, write `sha256: {archive.sha256}`")
        arrived.append((wanted, archive))
    for wanted, archive in arrived:  # once all are here: a fetch that fails late has unpacked nothing for nothing
        place = folder / wanted.into
        place.mkdir(parents=True, exist_ok=True)
        try:
            unpack.unpack(archive.path, place, called=wanted.url)
        except NoRoom:
            raise
        except KaikuError:
            archive.path.unlink()
            raise
    records = [
        {"url": wanted.url, "sha256": archive.sha256, "bytes": archive.path.stat().st_size}
        for wanted, archive in arrived
    ]
    return {**records[0], **({"also": records[1:]} if records[1:] else {})}


def _repository(source: Source, folder: Path, known: Record, work: Path) -> Record:
    same = (known.get("hub"), known.get("revision")) == (source.hub, source.revision)
    commit = known.get("commit") if same else None
    snapshot = hub.download(source, work / "files", commit=commit)
    size = sum(path.stat().st_size for path in snapshot.files.values())
    for name, path in snapshot.files.items():
        if source.unpack and unpack.is_archive_name(name):
            place = (folder / name).parent
            place.mkdir(parents=True, exist_ok=True)
            unpack.unpack(path, place, called=f"{source.hub}: {name}")
        else:
            atomic.link(path, folder / name)
    return {"hub": source.hub, "revision": source.revision, "commit": snapshot.commit, "bytes": size}
