"""An archive from a web server into a file: resumed where it broke off, and whole or not there.

Resuming is asked for with `Range` and `If-Range` (RFC 9110, 13.1.5 and 14.2), so that a file that changed at its source
in between is begun again instead of being joined from two halves.
"""

import email.utils
import hashlib
import http.client
import json
import os
import re
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import kaiku
from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch.room import NoRoom, check_room
from kaiku.progress import log, tell, track
from kaiku.store import atomic

BLOCK = 1 << 20
ATTEMPTS = 5
"""Attempts in a row that come no further than an earlier one, after which a download is given up."""
PAUSE_S = 2.0
"""Wait before the second attempt; each further one waits twice as long."""
TIMEOUT_S = 60.0
"""A server that sends nothing for so long is hung up on, and asked for the rest."""
LONGEST_WAIT_S = 600.0
"""Wait that a server may ask for (`Retry-After`); one that asks for more is asked again after this."""
ROOM = "room for the archive, and about as much again to unpack it"
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Archive:
    """A complete download: its file and the hex SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Stated:
    """What the server said of the file when its first byte came: a strong validator, and its length in bytes."""

    url: str = ""
    validator: str | None = None
    length: int | None = None


@dataclass(frozen=True)
class _Fault:
    """What went wrong in an attempt that is worth another, and the wait that the server asked for."""

    what: str
    wait_s: float = 0.0


def download(
    url: str, folder: Path, *, mirrors: Sequence[str] = (), sha256: str | None = None, md5: str | None = None
) -> Archive:
    """Bring the file at `url` into a folder of its own, which holds the part that has arrived until all has.

    mirrors: other addresses of the same file, tried in turn where one gives up. sha256, md5: digests it must have; on
    another one the file is thrown away. Raises KaikuError where no server can be reached, all refuse, or send less than
    they stated; NoRoom where the disk is full.
    """
    addresses = [url, *mirrors]
    for at, address in enumerate(addresses):
        try:
            return _from_one(address, folder, sha256, md5)
        except NoRoom:
            raise
        except KaikuError as error:
            if at + 1 == len(addresses):
                raise
            tell(f"{error.found}; trying {addresses[at + 1]}")
    raise AssertionError("no address")


def _from_one(url: str, folder: Path, sha256: str | None, md5: str | None) -> Archive:
    part = folder / "archive"
    failures, most = 0, _size(part)
    while not _complete(folder, part):
        fault = _attempt(url, folder, part, sure=bool(sha256 or md5))
        if fault is None:
            break
        have = _size(part)
        failures = 0 if have > most else failures + 1
        most = max(most, have)
        if failures >= ATTEMPTS:
            raise KaikuError(
                f"{url}: {fault.what}",
                expected="a download that goes on",
                remedy=f"Look at the network and the address, and run again: the {have} bytes that came are kept.",
            )
        wait_s = max(PAUSE_S * 2 ** max(failures - 1, 0), fault.wait_s)
        log(f"{url}: {fault.what}; trying again in {wait_s:.0f} s, {have} bytes are here")
        time.sleep(wait_s)
    return Archive(part, _checked(url, part, sha256, md5))


def _checked(url: str, part: Path, sha256: str | None, md5: str | None) -> str:
    """SHA-256 of a complete download; on a wrong digest the file goes away, so that the next call begins anew."""
    found = {"sha256": _digest(part, "sha256"), **({"md5": _digest(part, "md5")} if md5 else {})}
    for kind, wanted in (("sha256", sha256), ("md5", md5)):
        if wanted and found[kind] != wanted.lower():
            part.unlink()
            raise CorruptFile(
                f"{url}: the archive has {kind} {found[kind]}",
                expected=wanted,
                remedy="Run again in case the download was damaged. If the archive was changed on purpose, put its new "
                f"digest into `source.{kind}`.",
            )
    return found["sha256"]


def _attempt(url: str, folder: Path, part: Path, *, sure: bool) -> _Fault | None:
    """Ask for what is missing and append it; None when all is here, else what went wrong, worth another attempt.

    sure: a digest will tell whether the whole is right, so that parts of several servers may be joined.
    """
    have, known = _size(part), _stated(folder)
    same_file = known.validator if known.url == url else None
    if not same_file and not sure:
        have = 0  # nothing would tell whether the rest belongs to what is here
    request = urllib.request.Request(_quoted(url), headers={"User-Agent": f"kaiku/{kaiku.__version__}"})
    request.add_header("Accept-Encoding", "identity")
    if have:
        request.add_header("Range", f"bytes={have}-")
        if same_file:
            request.add_header("If-Range", same_file)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            start, stated = _reading(url, answer, known)
            if start not in (0, have):
                part.unlink(missing_ok=True)
                return _Fault(f"the server sent something else when asked for the bytes from {have} on")
            if stated != known:
                atomic.write_json(folder / "stated.json", asdict(stated))
            check_room(folder, (stated.length or 0) - start, expected=ROOM)
            _receive(answer, part, start, stated.length)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # no such range: the file is shorter than what is here
            part.unlink(missing_ok=True)
            return _Fault(f"the server has nothing from byte {have} on")
        if error.code not in TRY_AGAIN:
            raise _refused(url, error.code) from None
        return _Fault(f"the server answered {error.code} {error.reason}", _wanted_wait(error.headers))
    except urllib.error.URLError as error:
        return _Fault(f"the server cannot be reached ({error.reason})")
    except (OSError, http.client.HTTPException) as error:
        return _Fault(f"the connection broke ({error or type(error).__name__})")
    if stated.length is not None and _size(part) < stated.length:
        return _Fault(f"the server sent {_size(part)} of the {stated.length} bytes it stated")
    return None if _size(part) else _Fault("the server sent nothing")


def _quoted(url: str) -> str:
    """An address in ASCII, as it is sent; what is quoted already stays so."""
    if url.isascii():
        return url
    parts = urllib.parse.urlsplit(url)
    path, query = (urllib.parse.quote(text, safe=string.punctuation) for text in (parts.path, parts.query))
    return parts._replace(netloc=parts.netloc.encode("idna").decode(), path=path, query=query).geturl()


def _reading(url: str, answer: Any, known: _Stated) -> tuple[int, _Stated]:
    """At which byte an answer starts (-1: in another file than the one that was begun), and what is stated of it."""
    if answer.status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if not span or (known.url == url and _is_another(answer.headers, known.validator)):
            return -1, known
        length = known.length if span[2] == "*" else int(span[2])
        return (int(span[1]) if known.length in (None, length) else -1), replace(known, length=length)
    length = answer.headers.get("Content-Length", "")
    etag = answer.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified")
    return 0, _Stated(url, validator, int(length) if length.isdecimal() else None)


def _is_another(headers: Any, validator: str | None) -> bool:
    """Whether an answer's validator is another one: not every server heeds `If-Range`."""
    kind = "ETag" if validator and validator.startswith('"') else "Last-Modified"
    return validator is not None and headers.get(kind, validator) != validator


def _wanted_wait(headers: Any) -> float:
    """Seconds that the server asks to be left alone: a number or a date (RFC 9110, 10.2.3); 0 where it says nothing."""
    asked = (headers.get("Retry-After") or "").strip()
    if asked.isdecimal():
        wait_s = float(asked)
    else:
        try:
            wait_s = email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def _receive(answer: Any, part: Path, start: int, length: int | None) -> None:
    """Append the answer's bytes to the part, from byte `start` on."""
    blocks = -(-(length - start) // BLOCK) if length else None
    with open(part, "ab", buffering=0) as f:
        f.truncate(start)
        for _ in track(_arriving(answer, f), total=blocks, label="download", unit="MiB"):
            pass
        os.fsync(f.fileno())


def _arriving(answer: Any, f: BinaryIO) -> Iterator[None]:
    """Write what arrives as it arrives, so that a connection that stalls costs nothing; yields once a block."""
    untold = 0
    while data := answer.read1(BLOCK):
        _write(f, memoryview(data))
        untold += len(data)
        while untold >= BLOCK:
            untold -= BLOCK
            yield


def _write(f: BinaryIO, data: memoryview) -> None:
    try:
        while data:
            data = data[f.write(data) :]
    except OSError as error:
        raise NoRoom(
            f"{f.name}: cannot be written ({error.strerror})",
            remedy="Free some space and run again; what came is kept.",
        ) from error


def _complete(folder: Path, part: Path) -> bool:
    """An earlier call received all and was ended before it could unpack it."""
    length = _stated(folder).length
    return bool(length) and _size(part) == length


def _stated(folder: Path) -> _Stated:
    path = folder / "stated.json"
    return _Stated(**json.loads(path.read_text())) if path.exists() else _Stated()


def _refused(url: str, code: int) -> KaikuError:
    if code in (401, 403):
        remedy = "It wants a login or an agreement: fetch it by hand, unpack it, and give its folder as `path:`."
    else:
        remedy = "Mend `source.url`, or fetch the data by hand and give their folder as `path:`."
    return KaikuError(f"{url}: the server answered {code} {http.client.responses.get(code, '')}", remedy=remedy)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path, kind: str) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, kind).hexdigest()
