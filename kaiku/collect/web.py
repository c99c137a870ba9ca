"""yt-dlp, as it is used here: what a source holds, and one item's audio in its own container, without an ffmpeg."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku.collect.settings import CollectSettings
from kaiku.errors import KaikuError
from kaiku.fetch.room import NoRoom
from kaiku.progress import LINE_EVERY_S, log, tell

COOKIES = "KAIKU_COOKIES"
"""Environment variable with the path of a file of cookies, for items that a login may see. Never in a configuration."""
DEEPEST = 4
"""Playlists in playlists that are followed: a channel has tabs, and a tab has items."""
AUDIO = "bestaudio[protocol^=http][has_drm!=true]/bestaudio/best"
RETRY_PAUSE_S = 1.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Unreachable(KaikuError):
    """A source or item that its site did not give."""


@dataclass(frozen=True)
class Address:
    """Where an item is, and the id that a feed gives it; empty where it is of no feed, or the feed gives none."""

    url: str
    feed_id: str = ""

    @property
    def told(self) -> str:
        """What may be written down of it: where an id tells an item apart, without what feeds put tokens into."""
        return self.url.partition("?")[0] if self.feed_id else self.url


class _Log:
    """yt-dlp's messages: warnings into the log; errors are raised, and told by whoever catches them."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...
    def warning(self, message: str) -> None:
        log(f"yt-dlp: {plain(message)}")


class Progress:
    """How far a download is, now and then."""

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, state: dict[str, Any]) -> None:
        now, total = time.monotonic(), state.get("total_bytes") or state.get("total_bytes_estimate")
        if state.get("status") != "downloading" or now - self.said < LINE_EVERY_S:
            return
        self.said = now
        of = f" of {total / 1e6:.1f}" if total else ""
        left = f", {state['eta']} s left" if state.get("eta") is not None else ""
        tell(f"download: {state.get('downloaded_bytes', 0) / 1e6:.1f}{of} MB{left}")


def version() -> str:
    """Version of yt-dlp; KaikuError where it is not installed, or the cookies that it is to have are not there."""
    cookies = os.environ.get(COOKIES)
    if cookies and not Path(cookies).is_file():
        raise KaikuError(f"{COOKIES}: {cookies} is not there", expected="a file of cookies in Netscape's format")
    try:
        from yt_dlp.version import __version__
    except ImportError as error:
        remedy = "Install it beside Kaiku: `pip install yt-dlp` (for YouTube also yt-dlp-ejs, and deno or node)."
        raise KaikuError("yt-dlp is not installed, and recordings are collected with it", remedy=remedy) from error
    return __version__


@contextmanager
def opened(own: CollectSettings, folder: Path, captions: str = "", automatic: bool = False) -> Iterator[Any]:
    """A YoutubeDL that writes into `folder` alone, with the captions of one language, by the site's name of it."""
    from yt_dlp import YoutubeDL

    version()
    cookies = os.environ.get(COOKIES)
    if cookies:  # a copy: yt-dlp writes cookies back to where it read them
        shutil.copyfile(cookies, folder / "cookies.txt")
        (folder / "cookies.txt").chmod(0o600)
    with YoutubeDL(
        {
            "quiet": True,
            "noprogress": True,
            "color": "no_color",
            "logger": _Log(),
            "progress_hooks": [Progress()],
            "cachedir": False,
            "cookiefile": str(folder / "cookies.txt") if cookies else None,
            "format": AUDIO,
            "outtmpl": {"default": f"{str(folder).replace('%', '%%')}/audio.%(ext)s"},
            "overwrites": True,
            "updatetime": False,
            "fixup": "never",  # it would call ffmpeg
            "hls_prefer_native": True,
            "writesubtitles": bool(captions) and not automatic,
            "writeautomaticsub": bool(captions) and automatic,
            "subtitleslangs": [re.escape(captions)] if captions else [],
            "subtitlesformat": "vtt",
            "retries": own.retries,
            "fragment_retries": own.retries,
            "extractor_retries": min(own.retries, 3),
            "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), _backing_off),
            "skip_unavailable_fragments": False,  # a hole in the audio is no audio
            "ratelimit": own.rate_kb_s * 1000 if own.rate_kb_s else None,
        }
    ) as downloader:
        yield downloader


def items(downloader: Any, url: str, most: int) -> Iterator[dict[str, Any]]:
    """What a source holds, not looked up yet: itself, or the entries of a playlist, channel or feed, one by one.

    Raises Unreachable where its site does not give it.
    """
    with _plain_errors():
        found = downloader.extract_info(url, download=False, process=False)
    for number, item in enumerate(_flat(downloader, found, 0)):
        if number == most:
            tell(f"{url}: more than {most} items; the rest is left (collect.most_items)")
            return
        yield item


def look_up(downloader: Any, item: dict[str, Any]) -> dict[str, Any]:
    """All that its site says of an item, with its formats. Raises Unreachable."""
    with _plain_errors():
        found = downloader.process_ie_result(dict(item), download=False)
    if not found:
        raise Unreachable("its site gives nothing of it")
    if found.get("_type", "video") != "video":
        raise Unreachable("it is a list of items; name its address in the list of sources by itself")
    return found


def download(downloader: Any, info: dict[str, Any], folder: Path) -> Path:
    """The audio of an item that was looked up, and its captions beside it. Raises Unreachable; returns its path."""
    with _plain_errors():
        downloader.process_ie_result(downloader.sanitize_info(info, True), download=True)
    audio = [path for path in folder.glob("audio.*") if path.suffix not in (".vtt", ".part", ".ytdl")]
    if len(audio) != 1:
        raise Unreachable(f"one audio file was expected, and {len(audio)} came")
    return audio[0]


def address(item: dict[str, Any]) -> Address:
    """Where an item is that was not looked up yet; with an empty address where it has none of its own."""
    from yt_dlp.utils import unsmuggle_url

    found = item.get("webpage_url") or item.get("original_url") or item.get("url") or ""
    url, smuggled = unsmuggle_url(found, {})
    return Address(url, smuggled.get("force_videoid", ""))


def plain(message: Any) -> str:
    """A message of yt-dlp as one line without colours."""
    text = " ".join(_COLOUR.sub("", str(message)).split())
    return text.removeprefix("ERROR: ").split("; please report this issue")[0]


def _flat(downloader: Any, found: dict[str, Any] | None, depth: int) -> Iterator[dict[str, Any]]:
    """The items in what an extractor gave; a link that is a playlist's own entry is left to be looked up later."""
    if not found:
        return
    kind = found.get("_type", "video")
    if kind in ("playlist", "multi_video") and depth < DEEPEST:
        for entry in found.get("entries") or ():
            yield from _flat(downloader, entry, depth + 1)
    elif kind == "url" and (depth == 0 or _is_list(downloader, found)):
        with _plain_errors():
            inner = downloader.extract_info(found["url"], download=False, process=False, ie_key=found.get("ie_key"))
        yield from _flat(downloader, inner, depth + 1)
    else:
        yield found


def _is_list(downloader: Any, found: dict[str, Any]) -> bool:
    """Whether a link leads to a playlist by the name of what would read it (a channel's tabs), not to an item."""
    return any(word in (found.get("ie_key") or "") for word in ("Tab", "Playlist", "Channel"))


def _backing_off(n: int) -> float:
    return min(RETRY_PAUSE_S * 2**n, 60.0)


@contextmanager
def _plain_errors() -> Iterator[None]:
    from yt_dlp.utils import YoutubeDLError

    try:
        yield
    except YoutubeDLError as error:
        said = plain(error)
        if "unable to write data" in said:  # what yt-dlp says of a disk that is full
            raise NoRoom(said, remedy="Free some space and run again; what was collected stays.") from error
        raise Unreachable(said) from error
