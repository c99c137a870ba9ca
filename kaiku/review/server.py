"""The review page's server: on this machine alone, for whoever has the address with its token.

Other pages in the same browser cannot reach it: they do not know the token, which each start draws anew; a name that
they bind to 127.0.0.1 is refused by the Host header.
"""

import hmac
import inspect
import json
import re
import secrets
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from kaiku.errors import KaikuError
from kaiku.review import page, shown
from kaiku.review.index import Index
from kaiku.review.orders import Lists, Question
from kaiku.review.sound import Sound, wav

ADDRESS = "127.0.0.1"
MOST_BODY = 1 << 16  # bytes; a decision is some hundred
MOST_LINES = 500


class Review:
    """What the server answers, without HTTP."""

    def __init__(self, index: Index, reviewer: str):
        self.index, self.reviewer = index, reviewer
        self.lists, self.sound = Lists(index), Sound(index.settings)

    def overview(self, **_: str) -> dict[str, Any]:
        """The dataset's counts, as the files stand now."""
        self.index.refresh()
        return {**shown.overview(self.index), "reviewer": self.reviewer}

    def clips(self, *, offset: str = "0", limit: str = "100", anew: str = "", **asked: str) -> dict[str, Any]:
        """A part of a list; `anew` makes the list again, else it stays as it was."""
        if anew:
            self.index.refresh()
        seed = _whole(asked.pop("seed", "0"), "seed")
        unknown = asked.keys() - {"order", "show", "reason", "find", "corpus"}
        if unknown:
            raise KaikuError(f"unknown: {', '.join(sorted(unknown))}")
        question = Question(**asked, seed=seed)
        with self.index.lock:
            found = self.lists.clips(question, anew=bool(anew))
            first = _whole(offset, "offset")
            part = found[first : first + min(_whole(limit, "limit"), MOST_LINES)]
            lines = [shown.line(self.index, self.lists, *pair, question.order) for pair in part]
        return {"total": len(found), "offset": first, "clips": lines}

    def clip(self, *, corpus: str, clip: str) -> dict[str, Any]:
        """Everything about one clip."""
        with self.index.lock:
            self.index.refresh()
            return shown.clip(self.index, self.lists, self.sound, corpus, clip)

    def lapsed(self, **_: str) -> dict[str, Any]:
        """Decisions that no longer apply."""
        self.index.refresh()
        return {"decisions": shown.lapsed(self.index)}

    def decide(
        self, *, corpus: str, clip: str, verdict: str, text: str | None = None, note: str = ""
    ) -> dict[str, Any]:
        """Write a decision; returns the clip as it stands then. Without a text, the correction that stands holds on."""
        self.index.decide(corpus, clip, verdict, text, note, self.reviewer)
        return self.clip(corpus=corpus, clip=clip)

    def audio(self, *, corpus: str, clip: str) -> bytes:
        """A clip as WAV."""
        row = self.index.row(corpus, clip)
        return wav(self.sound.of(corpus, row["shard"], clip, self.index.generation))


class Server(ThreadingHTTPServer):
    """The server; `url` is what to open. port 0: any that is free."""

    daemon_threads = True

    def __init__(self, review: Review, port: int = 0, token: str | None = None):
        self.review, self.token = review, token or secrets.token_urlsafe(24)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise KaikuError(
                f"port {port} cannot be opened ({error.strerror})",
                remedy="Name another one: PORT=0 takes any free one.",
            ) from error

    @property
    def url(self) -> str:
        """The page's address, with the token."""
        return f"http://{ADDRESS}:{self.server_port}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Kaiku", ""
    timeout = 120

    def do_GET(self) -> None:
        path, asked = self._asked()
        review = self.server.review
        routes: dict[str, Callable] = {
            "/api/overview": review.overview,
            "/api/clips": review.clips,
            "/api/clip": review.clip,
            "/api/lapsed": review.lapsed,
        }
        if not self._may(asked.pop("token", "")):
            return
        if path == "/":
            text = page.compose({"token": self.server.token})
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", text.encode())
        elif path == "/audio":
            self._answer(review.audio, asked, self._send_audio)
        elif path in routes:
            self._answer(routes[path], asked, self._send_json)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"{path} is nothing here")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path, _ = self._asked()
        if not self._may(""):  # by its header alone, which no other page's form can send
            return
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > MOST_BODY:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of {size or 'unknown'} bytes")
            return
        body = self.rfile.read(int(size))
        if path != "/api/decide":
            self._refuse(HTTPStatus.NOT_FOUND, f"{path} is nothing here")
            return
        try:
            asked = json.loads(body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
            self._refuse(HTTPStatus.BAD_REQUEST, "the body is no object of texts")
            return
        self._answer(self.server.review.decide, asked, self._send_json)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: addresses hold the token."""

    def _asked(self) -> tuple[str, dict[str, str]]:
        path, _, query = self.path.partition("?")
        return path, {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}

    def _may(self, token: str) -> bool:
        """Whether the request is for this very address, and from somebody who knows the token; answered where not."""
        own = {f"{host}:{self.server.server_port}" for host in (ADDRESS, "localhost")}
        if self.headers.get("Host") not in own:
            self._shut(HTTPStatus.FORBIDDEN, "asked for by another name; open the address that `make review` printed")
        elif not hmac.compare_digest((self.headers.get("X-Kaiku-Token") or token).encode(), self.server.token.encode()):
            self._shut(
                HTTPStatus.FORBIDDEN, "without the token of this start; open the address that `make review` printed"
            )
        elif self.headers.get("Origin") not in (None, *(f"http://{host}" for host in own)):
            self._shut(HTTPStatus.FORBIDDEN, "asked for by another page")
        else:
            return True
        return False

    def _answer(self, call: Callable[..., Any], asked: dict[str, str], send: Callable[[Any], None]) -> None:
        try:
            inspect.signature(call).bind(**asked)
        except TypeError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"asked wrongly: {error}")
            return
        try:
            found = call(**asked)
        except KaikuError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except Exception as error:
            traceback.print_exc()
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")
        else:
            send(found)

    def _send_json(self, found: Any) -> None:
        body = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        self._send(HTTPStatus.OK, "application/json", body)

    def _send_audio(self, body: bytes) -> None:
        """Whole, or the part that a player asks for (RFC 9110, section 14)."""
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not found or found.groups() == ("", ""):
            self._send(HTTPStatus.OK, "audio/wav", body, {"Accept-Ranges": "bytes"})
            return
        first, last = found.groups()
        start = int(first) if first else max(0, len(body) - int(last))
        end = min(int(last) if first and last else len(body) - 1, len(body) - 1)
        if start > end:
            self._send(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "audio/wav", b"", {"Content-Range": f"bytes */{len(body)}"}
            )
            return
        told = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end}/{len(body)}"}
        self._send(HTTPStatus.PARTIAL_CONTENT, "audio/wav", body[start : end + 1], told)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, "application/json", json.dumps({"error": why}, ensure_ascii=False).encode())

    def _shut(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # a body that was not read would be taken for the next request
        self._refuse(status, why)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        headers |= {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
        headers |= {"Cross-Origin-Resource-Policy": "same-origin", **(more or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _whole(text: str, name: str) -> int:
    if not text.isdecimal():
        raise KaikuError(f"{name}={text}", expected="a whole number")
    return int(text)
