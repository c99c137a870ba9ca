"""A web server on the loopback that breaks off, lies, and sends what it should not; and archives to serve."""

import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kaiku import fetch

NOISE = hashlib.shake_256(b"noise").digest(300_000)


class Server(ThreadingHTTPServer):
    """Files by path; requests: all seen.

    drop_after, stall_after: bytes after which a connection breaks, or says no more, once for each entry. failures:
    answers by path, (status, headers), each given once before the file is. stall_for: as stall_after, of one path.
    heeds: whether `If-Range` is looked at.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.json: dict[str, object] = {}
        self.drop_after: list[int] = []
        self.stall_after: list[int] = []
        self.failures: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.types: dict[str, str] = {}
        self.stall_for: dict[str, list[int | None]] = {}
        self.cookies: set[str] = set()
        self.released = threading.Event()
        self.etags = self.lengths = True
        self.extra_length = 0
        self.ranges = self.heeds = True
        self.requests: list[tuple[str, str | None]] = []
        self.tokens: set[tuple[str, str | None]] = set()  # path, Authorization
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """See Server."""

    server: Server

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        self.server.tokens.add((self.path, self.headers.get("Authorization")))
        self.server.cookies |= {self.headers["Cookie"]} if self.headers.get("Cookie") else set()
        if self.path in self.server.json:
            status, value = self.server.json[self.path]
            data, headers = json.dumps(value).encode(), {"Content-Type": "application/json"}
            if isinstance(value, dict) and "code" in value:
                headers["X-Error-Code"] = value["code"]
            return self._send(status, data, headers, body)
        if self.server.failures.get(self.path):
            status, headers = self.server.failures[self.path].pop(0)
            return self._send(status, b"", headers, body)
        data = self.server.files.get(self.path)
        if data is None:
            return self._send(404, b"", {}, body)
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"ETag": etag, "X-Repo-Commit": "a" * 40} if self.server.etags else {}
        if self.path in self.server.types:
            headers["Content-Type"] = self.server.types[self.path]
        same = not self.server.heeds or self.headers.get("If-Range") in (None, etag)
        if asked and self.server.ranges and same:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            if start >= len(data):
                return self._send(416, b"", headers, body)
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._send(206, data[start:], headers, body)
        return self._send(200, data, headers, body)

    def _send(self, status, data, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.lengths:
            self.send_header("Content-Length", str(len(data) + (self.server.extra_length if status == 200 else 0)))
        self.end_headers()
        stalls = self.server.stall_for.get(self.path)
        stall = stalls.pop(0) if stalls and body else None
        if stall is not None:
            self.server.stall_after.append(stall)
        if body and self.server.stall_after:
            self.wfile.write(data[: self.server.stall_after.pop(0)])
            self.server.released.wait(20)
        elif body:
            self.wfile.write(data[: self.server.drop_after.pop(0)] if self.server.drop_after else data)
        self.close_connection = True


def tar_of(members, mode="w:gz"):
    """members: name -> bytes, or a TarInfo of a link or device."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content) if isinstance(content, bytes) else 0
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return data.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def get(source, target=Path("data/raw/x"), known=None):
    with fetch.fetching(source, target, known) as (_, record):
        pass
    return record


def files_in(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def nothing_at(target=Path("data/raw/x")):
    return not target.exists() and not list(target.parent.glob(".*")) if target.parent.exists() else True
