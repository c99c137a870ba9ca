"""A server on the loopback, and a workspace of its own for each test."""

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from collecting import sound
from loopback import Server

from kaiku.collect import web
from kaiku.fetch import download


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    monkeypatch.setattr(web, "RETRY_PAUSE_S", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def audio(server):
    """Three recordings on the server: a.ogg, b.flac and c.wav."""
    made = {"/a.ogg": sound(3, 1), "/b.flac": sound(2, 2, "FLAC"), "/c.wav": sound(1, 3, "WAV")}
    server.files |= made
    server.types |= {"/a.ogg": "audio/ogg", "/b.flac": "audio/flac", "/c.wav": "audio/wav"}
    return made


@pytest.fixture
def site(server, monkeypatch):
    """A site of its own with what it says of items: an extractor that yt-dlp is taught, whose pages are JSON."""
    from yt_dlp.extractor.common import InfoExtractor

    class LoopbackIE(InfoExtractor):
        IE_NAME = "loopback"
        _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>\w+)"

        def _real_extract(self, url):
            return {"id": self._match_id(url), **self._download_json(url, None)}

    opened = web.opened

    def taught(*args, **kwargs):
        context = opened(*args, **kwargs)
        downloader = context.__enter__()
        downloader.add_info_extractor(LoopbackIE())
        downloader._ies = {"Loopback": downloader._ies.pop("Loopback"), **downloader._ies}
        context.__enter__ = lambda: downloader
        return _Entered(context, downloader)

    monkeypatch.setattr(web, "opened", taught)

    def publish(name, media="/a.ogg", **says):
        base = {"title": name, "url": server.url + media, "ext": Path(media).suffix[1:], "vcodec": "none"}
        server.json[f"/watch/{name}"] = (200, {**base, **says})
        return f"/watch/{name}"

    return publish


class _Entered:
    def __init__(self, context, downloader):
        self.context, self.downloader = context, downloader

    def __enter__(self):
        return self.downloader

    def __exit__(self, *raised):
        return self.context.__exit__(*raised)
