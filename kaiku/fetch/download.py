"""An archive from a web server into a file: resumed where it broke off, and whole or not there.

Resuming is asked for with `Range` and `If-Range` (RFC 9110, 13.1.5 and 14.2), so that a file that changed at its source
in between is begun again instead of being joined from two halves.
"""

import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kaiku
from kaiku.errors import CorruptFile, KaikuError
from kaiku.progress import log, track
from kaiku.store import atomic

BLOCK = 1 << 20
ATTEMPTS = 5
"""Attempts in a row that come no further than an earlier one, after which a download is given up."""
PAUSE_S = 2.0
"""Wait before the second attempt; each further one waits twice as long."""
TIMEOUT_S = 60.0
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Archive:
    """A complete download: its file and the hex SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Stated:
    """What the server said of the file when its first byte came: a strong validator, and its length in bytes."""

    validator: str | None = None
    length: int | None = None


def download(url: str, folder: Path, *, sha256: str | None = None) -> Archive:
    """Bring the file at `url` into a folder of its own, which holds the part that has arrived until all has.

    sha256: the digest it must have; on another one the file is thrown away.
    Raises KaikuError where the server cannot be reached, refuses, or sends less than it stated.
    """
    part = folder / "archive"
    failures, most = 0, _size(part)
    while not _complete(folder, part):
        fault = _attempt(url, folder, part)
        if fault is None:
            break
        have = _size(part)
        failures = 0 if have > most else failures + 1
        most = max(most, have)
        if failures >= ATTEMPTS:
            raise KaikuError(
                f"{url}: {fault}",
                expected="a download that goes on",
                remedy=f"Look at the network and the address, and run again: the {have} bytes that came are kept.",
            )
        log(f"{url}: {fault}; trying again, {have} bytes are here")
        time.sleep(PAUSE_S * 2 ** max(failures - 1, 0))
    found = _sha256(part)
    if sha256 and found != sha256.lower():
        part.unlink()
        raise CorruptFile(
            f"{url}: the archive has sha256 {found}",
            expected=sha256,
            remedy="Run again in case the download was damaged. If the archive was changed on purpose, put its new "
            "digest into `source.sha256`.",
        )
    return Archive(part, found)


def _attempt(url: str, folder: Path, part: Path) -> str | None:
    """Ask for what is missing and append it; None when all is here, else what went wrong, worth another attempt."""
    have, stated = _size(part), _stated(folder)
    if not stated.validator:
        have = 0  # nothing would tell whether the rest belongs to what is here
    request = urllib.request.Request(url, headers={"User-Agent": f"kaiku/{kaiku.__version__}"})
    request.add_header("Accept-Encoding", "identity")
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", stated.validator)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            start, stated = _reading(answer, stated)
            if start not in (0, have):
                return f"the server sent bytes from {start} on when asked for those from {have} on"
            if start == 0:
                atomic.write_json(folder / "stated.json", asdict(stated))
            _check_room(folder, (stated.length or 0) - start)
            _receive(answer, part, start, stated.length)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no such range: the file is shorter than what is here
            part.unlink()
            return "the file became shorter at its source"
        if error.code not in TRY_AGAIN:
            raise _refused(url, error.code) from None
        return f"the server answered {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return f"the server cannot be reached ({error.reason})"
    except (OSError, http.client.HTTPException) as error:
        return f"the connection broke ({error or type(error).__name__})"
    if stated.length is not None and _size(part) < stated.length:
        return f"the server sent {_size(part)} of the {stated.length} bytes it stated"
    return None


def _reading(answer: Any, stated: _Stated) -> tuple[int, _Stated]:
    """At which byte an answer starts, and what is stated of the whole file."""
    if answer.status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        return (int(span[1]) if span else -1), stated
    length = answer.headers.get("Content-Length")
    etag = answer.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified")
    return 0, _Stated(validator, int(length) if length else None)


def _receive(answer: Any, part: Path, start: int, length: int | None) -> None:
    """Append the answer's bytes to the part, from byte `start` on."""
    blocks = -(-(length - start) // BLOCK) if length else None
    with open(part, "ab") as f:
        f.truncate(start)
        for block in track(_blocks(answer), total=blocks, label="download", unit="MiB"):
            f.write(block)
        f.flush()
        os.fsync(f.fileno())


def _blocks(answer: Any) -> Iterator[bytes]:
    while block := answer.read(BLOCK):
        yield block


def _complete(folder: Path, part: Path) -> bool:
    """An earlier call received all and was ended before it could unpack it."""
    length = _stated(folder).length
    return length is not None and _size(part) == length


def _stated(folder: Path) -> _Stated:
    path = folder / "stated.json"
    return _Stated(**json.loads(path.read_text())) if path.exists() else _Stated()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise KaikuError(
            f"{folder.resolve()}: {free / 1e9:.1f} GB are free on its disk, and {needed / 1e9:.1f} GB are to come",
            expected="room for the archive, and about as much again to unpack it",
            remedy="Free some space and run again; what came is kept.",
        )


def _refused(url: str, code: int) -> KaikuError:
    if code in (401, 403):
        remedy = "It wants a login or an agreement: fetch it by hand, unpack it, and give its folder as `path:`."
    else:
        remedy = "Mend `source.url`, or fetch the data by hand and give their folder as `path:`."
    return KaikuError(f"{url}: the server answered {code} {http.client.responses.get(code, '')}", remedy=remedy)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
