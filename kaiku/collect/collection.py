"""Recordings from the web into a corpus' folder, one folder an item, by licence or right; what is there stays.

One item that fails is a row of the table with its reason, and the rest goes on. The folders are the truth: whatever has
its record is collected, and anything half done is a hidden folder that the next call removes.
"""

import errno
import json
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kaiku.collect import sources, web
from kaiku.collect.item import collect as collect_item
from kaiku.collect.item import is_bare, name_of
from kaiku.collect.rights import Refused, ground
from kaiku.collect.settings import CollectSettings
from kaiku.collect.sources import Wanted
from kaiku.collect.table import Row
from kaiku.collect.web import Address
from kaiku.errors import KaikuError
from kaiku.fetch.room import NoRoom, check_room
from kaiku.progress import log, tell, track
from kaiku.store import atomic

LOOKING = ".looking-"
"""Beginning of the name of a folder that is there while a source is looked up."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
MEND_DISK = "Free some space or mend its permissions, and run again; what was collected stays."
_HALF_DONE = re.compile(r"\..+\.\d+\.(part|old)")


def collect(where: str, own: CollectSettings, root: Path, language: str, licence: str) -> list[Row]:
    """Bring every item of the sources that is not in `root` yet; the rows of all.

    where: path of the settings in the configuration; language, licence: the corpus'. The caller owns the corpus.
    Raises KaikuError where rights are not confirmed, yt-dlp is missing, or the list means nothing.
    """
    if not own.rights_confirmed:
        raise KaikuError(
            f"{where}.rights_confirmed is not set, so that nothing is collected",
            expected="that you have read the terms of the sites in the list, and may copy what it names",
            remedy=f"Where that is so, write `rights_confirmed: true` under {where}; most sites allow downloads only "
            "to those whose work it is, or who have their permission.",
        )
    web.version()
    wanted = sources.read(Path(own.sources))
    atomic.make_folder(root)
    _sweep(root)
    collection, rows = _Collection(own, root, language, licence), []
    for source in track(wanted, total=len(wanted), label="collect", unit="source"):
        for row in collection.source(source):
            rows.append(row)
            if row.state in ("refused", "failed"):
                tell(f"{row.url}: {row.state}: {row.reason}")
            elif row.state == "collected":
                log(f"{row.id}: collected, {row.duration_s} s")
    return rows


class _Collection:
    """A corpus' folder as it fills: what it holds already, by address, and by site or source and id."""

    def __init__(self, own: CollectSettings, root: Path, language: str, licence: str):
        self.own, self.root, self.language, self.licence = own, root, language, licence
        self.by_url: dict[str, dict[str, Any]] = {}
        self.by_item: dict[tuple[str, str], dict[str, Any]] = {}
        for path in sorted(root.glob("*/*.info.json")):
            try:
                self._add(path)
            except (ValueError, KeyError, TypeError):
                log(f"{path} is no record of an item; its folder is left alone")

    def source(self, wanted: Wanted) -> Iterator[Row]:
        """The rows of one source's items."""
        if wanted.url in self.by_url:  # an item, not a list: no look at the web
            yield _known(wanted, self.by_url[wanted.url])
            return
        place = tempfile.TemporaryDirectory(prefix=LOOKING, dir=self.root)
        with place as scratch, web.opened(self.own, Path(scratch)) as looker:
            try:
                for number, found in enumerate(web.items(looker, wanted.url, self.own.most_items)):
                    yield self._guarded(wanted, found, number, looker)
            except NoRoom:
                raise
            except Exception as error:  # the site's fault, or that of what reads it: the other sources go on
                yield Row(wanted.url, wanted.url, "", "failed", _reason(error))

    def _guarded(self, wanted: Wanted, found: dict[str, Any], number: int, looker: Any) -> Row:
        """The row of one item, whatever becomes of it; a full disk alone ends the call."""
        at = web.address(found)
        at = at if at.url else Address(wanted.url)
        try:
            return self._item(wanted, found, at, number, looker)
        except NoRoom:
            raise
        except OSError as error:
            if error.errno in DISK:
                raise NoRoom(f"{self.root}: cannot be written ({error.strerror})", remedy=MEND_DISK) from error
            state, reason = "failed", _reason(error)
        except Exception as error:
            state, reason = "refused" if isinstance(error, Refused) else "failed", _reason(error)
        return Row(wanted.url, at.told, "", state, reason.replace(at.url, at.told))

    def _item(self, wanted: Wanted, found: dict[str, Any], at: Address, number: int, looker: Any) -> Row:
        known = self.by_url.get(at.url) or self.by_item.get((wanted.url, at.feed_id))
        if known:
            return _known(wanted, known)
        if wanted.id and number:
            raise Refused("its source holds several items, and `id` can name but one")
        time.sleep(random.uniform(*self.own.pause_s))
        info = web.look_up(looker, found)
        info["original_url"] = at.told if is_bare(info) else at.url
        known = self.by_item.get(_site_and_id(info))
        if known:
            return _known(wanted, known)
        taken_by = ground(info, wanted, self.own, self.licence)
        name = wanted.id or name_of(info, info["original_url"])
        if (self.root / name).exists():
            raise Refused(f"{self.root / name} is there already and holds something else; give it an `id` of its own")
        check_room(self.root, int(info.get("filesize") or info.get("filesize_approx") or 0))
        collect_item(info, name, self.root, wanted=wanted, taken_by=taken_by, own=self.own, language=self.language)
        record = self._add(self.root / name / f"{name}.info.json")
        return replace(_known(wanted, record), state="collected")

    def _add(self, path: Path) -> dict[str, Any]:
        record = {**json.loads(path.read_text(encoding="utf-8")), "folder": path.parent.name}
        if (path.parent / record["file"]).is_file():
            self.by_url[record["url"]] = record
            # The ids of bare files are those of a feed, or names of files, the same at many places.
            key = (record["source"], str(record.get("id"))) if is_bare(record) else _site_and_id(record)
            self.by_item[key] = record
        return record


def _known(wanted: Wanted, record: dict[str, Any]) -> Row:
    told = (record.get("licence", ""), f"{record['duration_s']:.1f}", record["sha256"])
    return Row(wanted.url, record["url"], record["folder"], "here", "", *told)


def _site_and_id(info: dict[str, Any]) -> tuple[str, str]:
    return str(info.get("extractor_key")), str(info.get("id"))


def _reason(error: Exception) -> str:
    return error.found if isinstance(error, KaikuError) else f"{type(error).__name__}: {error}"


def _sweep(root: Path) -> None:
    """Remove what a killed process left: hidden folders of items half done. The caller owns the corpus."""
    for path in root.glob(".*"):
        if path.is_dir() and (_HALF_DONE.fullmatch(path.name) or path.name.startswith(LOOKING)):
            shutil.rmtree(path)
            log(f"removed {path.name}, which an earlier call left half done")
