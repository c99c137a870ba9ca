"""One item of the web as a folder of the corpus: its audio, captions where there are, and where it came from.

The folder appears whole, once the audio was decoded from end to end and is as long as its site says, or not at all.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku.audio import decode
from kaiku.collect import web
from kaiku.collect.container import out_of_transport_stream
from kaiku.collect.rights import Ground
from kaiku.collect.settings import CollectSettings
from kaiku.collect.sources import Wanted
from kaiku.collect.web import Unreachable
from kaiku.errors import DecodeError, KaikuError
from kaiku.layouts import AUDIO_SUFFIXES, decode_text
from kaiku.progress import log
from kaiku.store import atomic
from kaiku.text import vtt

SAID = (
    *("id", "extractor_key", "webpage_url", "title", "channel", "channel_id", "channel_url", "uploader", "uploader_id"),
    *("upload_date", "timestamp", "license", "availability", "age_limit", "language", "format_id", "ext", "acodec"),
    *("abr", "asr", "playlist_title", "episode", "episode_number"),
)
"""What is kept of what a site says of an item. Nothing of requests: headers and addresses of media may hold secrets."""

TOLERANCE = 0.01
ROUNDED_S = 1.0
"""Sites state whole seconds."""
LONGEST_NAME = 100


@dataclass(frozen=True)
class Item:
    """A collected item: its folder's name, seconds of audio, and hex SHA-256 of the file."""

    id: str
    duration_s: float
    sha256: str


def is_bare(info: Mapping[str, Any]) -> bool:
    """Whether an item is a file that no site speaks for: its id is no site's, and its page is its own address."""
    return info.get("extractor_key") == "Generic"


def name_of(info: Mapping[str, Any], url: str) -> str:
    """Name of an item's folder: site and the site's own id, as far as a path takes it, else with a digest."""
    site = str(info.get("extractor_key") or "web").lower()
    raw = f"{site}-{info.get('id') or ''}"
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", raw)[:LONGEST_NAME].rstrip("-")
    if name != raw or is_bare(info):  # its id is the file's name, which other sites use as well
        name += f"-{hashlib.sha256(f'{raw} {url}'.encode()).hexdigest()[:8]}"
    return name


def collect(
    info: dict[str, Any],
    name: str,
    root: Path,
    *,
    wanted: Wanted,
    taken_by: Ground,
    own: CollectSettings,
    language: str,
) -> Item:
    """Download an item that was looked up into `root`/`name`. Raises Unreachable or DecodeError, leaving nothing."""
    captions, automatic = _captions(info, own, language)
    with atomic.folder(root / name) as beside:
        work = beside / "work"
        work.mkdir()
        with web.opened(own, work, captions, automatic) as downloader:
            came = out_of_transport_stream(web.download(downloader, info, work))
        if came.suffix.lower() not in AUDIO_SUFFIXES:
            raise Unreachable(f"it came as {came.suffix}, which is no recording")
        audio = came.rename(beside / f"{name}{came.suffix.lower()}")
        duration_s = _checked_duration(audio, info.get("duration"))
        kept = _keep_captions(work, beside, name, language)
        with open(audio, "rb") as f:
            sha256 = hashlib.file_digest(f, "sha256").hexdigest()
        record = _said(info) | {
            "source": wanted.url,
            "url": info["original_url"],
            "file": audio.name,
            "bytes": audio.stat().st_size,
            "sha256": sha256,
            "duration_s": round(duration_s, 3),
            "stated_duration_s": info.get("duration"),
            "captions": {"language": captions, "automatic": automatic} if kept else None,
            "captions_offered": sorted(info.get("subtitles") or {}),
            "licence": taken_by.licence,
            "taken_by": taken_by.why,
            "rights": wanted.rights,
            "note": wanted.note,
            "collected": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "yt_dlp": web.version(),
        }
        _empty(work)
        atomic.write_json(beside / f"{name}.info.json", json.loads(json.dumps(record, default=str)))
    return Item(name, duration_s, sha256)


def _said(info: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of what a site says of an item; of a bare file's page nothing, for that is an address of media."""
    said = {key: info[key] for key in SAID if info.get(key) is not None}
    page = web.address({"url": said.pop("webpage_url", "")}).url
    return said if is_bare(info) else {**said, "webpage_url": page}


def _checked_duration(audio: Path, stated_s: float | None) -> float:
    """Seconds in a file, all of it decoded; Unreachable where its site stated another length."""
    try:
        with decode.open_audio(audio) as stream:
            duration_s = sum(len(block) for block in stream.blocks()) / stream.sample_rate
    except DecodeError as error:
        raise Unreachable(f"what came cannot be decoded ({error.found.removeprefix(f'{audio}: ')})") from error
    if (
        isinstance(stated_s, int | float)
        and stated_s
        and abs(duration_s - stated_s) > max(TOLERANCE * stated_s, ROUNDED_S)
    ):
        raise Unreachable(f"{duration_s:.1f} s came of the {stated_s:.1f} s that its site states")
    return duration_s


def _captions(info: Mapping[str, Any], own: CollectSettings, language: str) -> tuple[str, bool]:
    """The site's name of captions in the corpus' language, and whether they are automatic; empty for none."""
    offers = [("subtitles", False)] if own.captions != "none" else []
    offers += [("automatic_captions", True)] if own.captions == "automatic" else []
    for kind, automatic in offers:
        offered = info.get(kind) or {}
        names = [name for name, formats in offered.items() if any(f.get("ext") == "vtt" for f in formats)]
        same = sorted(
            (name for name in names if _primary(name) == _primary(language)), key=lambda n: (n != language, n)
        )
        if same and language != "und":
            return same[0], automatic
    return "", False


def _keep_captions(work: Path, beside: Path, name: str, language: str) -> bool:
    """Put captions that came beside the audio, under the name that the layout `recordings` knows; False for none."""
    for path in sorted(work.glob("audio.*.vtt")):
        try:
            if not vtt.parse(decode_text(path.read_bytes())[0]):
                raise KaikuError("they hold no captions")
        except KaikuError as error:
            log(f"{name}: its captions are left, since {error.found}")
            continue
        path.rename(beside / f"{name}.{language}.vtt")
        return True
    return False


def _primary(language: str) -> str:
    return language.split("-")[0].split("_")[0].lower()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
