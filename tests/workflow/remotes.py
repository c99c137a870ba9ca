"""Servers of one's own on the loopback that DVC pushes to: an sshd, and a stand-in for S3; and a line that breaks."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Remote:
    """A remote as DVC knows it: lines for its configuration, and the objects that arrived there, by name.

    line: what a server is reached by; None for a folder.
    """

    config: str
    objects: Callable[[], dict[str, bytes]]
    line: "Line | None" = None


@contextmanager
def open_remote(kind: str, folder: Path) -> Iterator[Remote]:
    """A remote of one kind, `folder`, `ssh` or `s3`, for as long as the block lasts."""
    if kind == "folder":
        yield Remote(_config(folder), lambda: objects_in(folder))
    elif kind == "ssh":
        with sshd(folder / "sshd") as server, _line(server.port) as line:
            url = f"ssh://{getpass.getuser()}@127.0.0.1:{line.port}{folder}/store"
            yield Remote(_config(url, keyfile=server.key), lambda: objects_in(folder / "store"), line)
    else:
        store = Store()
        with s3(store) as port, _line(port) as line:
            config = _config("s3://bucket/kaiku", endpointurl=f"http://127.0.0.1:{line.port}", region="eu-north-1")
            yield Remote(config, lambda: {_name(key): store.objects[key] for key in store.objects}, line)


def _config(url: object, **options: object) -> str:
    lines = [f"    {name} = {value}\n" for name, value in {"url": url, **options}.items()]
    return "[core]\n    remote = near\n['remote \"near\"']\n" + "".join(lines)


def objects_in(folder: Path) -> dict[str, bytes]:
    """Objects of a folder that is a remote, or a cache, by name."""
    return {
        _name(path.as_posix()): path.read_bytes() for path in folder.rglob("files/md5/??/*") if ".tmp" not in path.name
    }


def _name(path: str) -> str:
    return "".join(path.split("/")[-2:])


@contextmanager
def _line(port: int) -> Iterator["Line"]:
    line = Line(port)
    try:
        yield line
    finally:
        line.close()


@dataclass(frozen=True)
class Sshd:
    """An sshd with keys of its own that lets this user in by `key`."""

    port: int
    key: Path


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """A real sshd on a port of its own, for as long as the block lasts."""
    folder.mkdir(parents=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd asks for this empty folder
    server = Sshd(free_port(), folder / "user")
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": server.port,
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with open(folder / "log", "wb") as log:
        command = [SSHD, "-D", "-e", "-f", folder / "config"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(server.port)
        yield server
    finally:
        process.terminate()
        process.wait()


class Line:
    """A TCP line to a local server that goes dead, or breaks, after some bytes in both directions."""

    def __init__(self, target: int):
        self.target = target
        self.left: int | None = None
        self.breaks = False
        self.dead = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fail_after(self, count: int, *, breaks: bool) -> None:
        """Let `count` more bytes through; then break the connections, or keep them and carry nothing."""
        self.left, self.breaks = count, breaks
        self.dead.clear()

    def mend(self) -> None:
        """Drop what is left of old connections and carry everything from now on."""
        self.left = None
        self._close()
        self.dead.clear()

    def close(self) -> None:
        self._server.close()
        self._close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.dead.is_set() and self.breaks:
                client.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            with self._lock:
                self._sockets += [client, far]
            for source, sink in ((client, far), (far, client)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                with self._lock:
                    if self.left is not None:
                        data, self.left = data[: self.left], max(0, self.left - len(data))
                        if not self.left:
                            self.dead.set()
                if self.dead.is_set():
                    break
                sink.sendall(data)
        except OSError:
            pass
        if self.dead.is_set() and not self.breaks:
            return
        for end in (source, sink):
            _shut(end)

    def _close(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for end in sockets:
            _shut(end)
            end.close()


@dataclass
class Store:
    """What the stand-in for S3 holds: objects of one bucket by key, and uploads that are under way."""

    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)


@contextmanager
def s3(store: Store) -> Iterator[int]:
    """Port of a server that speaks as much of S3's protocol as DVC uses; it believes every signature."""
    handler = type("Handler", (_S3Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        if not self.key:
            return self._list() if "list-type" in self.query else self._answer(200, b"<LocationConstraint/>")
        content = self.store.objects.get(self.key)
        if content is None:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            part = content[first : last + 1]
            span = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
            return self._answer(206, part, {"Content-Range": span, **_OBJECT})
        self._answer(200, content, _OBJECT)

    def do_HEAD(self) -> None:
        if self.key and self.key not in self.store.objects:
            return self._answer(404, b"")
        self._answer(200, self.store.objects.get(self.key, b""), _OBJECT)

    def do_PUT(self) -> None:
        content = self._body()
        if content is None:
            return
        if "uploadId" in self.query:
            self.store.uploads[self.query["uploadId"]][int(self.query["partNumber"])] = content
        elif self.key:
            self.store.objects[self.key] = content
        self._answer(200, b"", {"ETag": '"0"'})

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        if "uploads" in self.query:
            number = str(len(self.store.uploads))
            self.store.uploads[number] = {}
            self._answer(200, f"<R><UploadId>{number}</UploadId></R>".encode())
        elif "uploadId" in self.query:
            parts = self.store.uploads.pop(self.query["uploadId"])
            self.store.objects[self.key] = b"".join(parts[n] for n in sorted(parts))
            self._answer(200, b'<R><ETag>"0"</ETag></R>')
        else:  # delete several
            for key in re.findall(r"<Key>(.*?)</Key>", body.decode()):
                self.store.objects.pop(key, None)
            self._answer(200, b"<DeleteResult/>")

    def do_DELETE(self) -> None:
        self.store.objects.pop(self.key, None)
        self._answer(204, b"")

    def log_message(self, *_: object) -> None:
        pass

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    @property
    def key(self) -> str:
        """Path below the bucket."""
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _list(self) -> None:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        lines, folders = [], set()
        for key, content in sorted(self.store.objects.items()):
            rest = key[len(prefix) :]
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                lines.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>0</ETag>"
                    "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                )
        lines += [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)]
        head = f"<KeyCount>{len(lines)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult>{head}{''.join(lines)}</ListBucketResult>".encode())

    def _body(self) -> bytes | None:
        """The request's content; None where the connection broke before its end, and nothing is to be kept."""
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        if len(content) < length:
            self.close_connection = True
            return None
        return _unchunked(content) if "aws-chunked" in self.headers.get("Content-Encoding", "") else content

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


_OBJECT = {"ETag": '"0"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}


def _unchunked(content: bytes) -> bytes:
    """Content that came in signed chunks: `size;signature CRLF data CRLF`, the last of size 0."""
    found = []
    while content:
        head, _, content = content.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            break
        found.append(content[:size])
        content = content[size + 2 :]
    return b"".join(found)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _wait_for(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
