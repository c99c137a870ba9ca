"""Collecting from a web on the loopback with yt-dlp itself: rights first, whole items, and no orphan of any death."""

import hashlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaiku.collect import collection, sources, table, web
from kaiku.collect.settings import CollectSettings
from kaiku.errors import KaikuError, SettingsError
from kaiku.fetch.room import NoRoom
from kaiku.store import scan
from workflow_scripts import collect_recordings

REPO = Path(__file__).parents[2]
ROOT = Path("data/raw/x")
RIGHTS = "written consent of the speaker, 2026-11-02"


def sound(seconds, seed=0, kind="OGG"):
    """A recording of noise."""
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)
    data = io.BytesIO()
    soundfile.write(data, samples, 16000, format=kind)
    return data.getvalue()


@pytest.fixture
def audio(server):
    """Three recordings on the server: a.ogg, b.flac and c.wav."""
    made = {"/a.ogg": sound(3, 1), "/b.flac": sound(2, 2, "FLAC"), "/c.wav": sound(1, 3, "WAV")}
    server.files |= made
    server.types |= {"/a.ogg": "audio/ogg", "/b.flac": "audio/flac", "/c.wav": "audio/wav"}
    return made


@pytest.fixture(autouse=True)
def haste(monkeypatch):
    monkeypatch.setattr(web, "RETRY_PAUSE_S", 0.0)


def gather(server, entries, licence="own", language="fi", **own):
    """Collect a list of paths or of entries; returns the rows."""
    said = [{"url": e, "rights": RIGHTS} if isinstance(e, str) else dict(e) for e in entries]
    for entry in said:
        entry["url"] = entry["url"] if "://" in entry["url"] else server.url + entry["url"]
    Path("sources.yaml").write_text(json.dumps(said))
    own = CollectSettings(**{"sources": "sources.yaml", "rights_confirmed": True, "pause_s": [0, 0], **own})
    return collection.collect("corpora.x.collect", own, ROOT, language, licence)


def states(rows):
    return [row.state for row in rows]


def folders():
    return sorted(path.name for path in ROOT.iterdir()) if ROOT.exists() else []


def record(name):
    return json.loads((ROOT / name / f"{name}.info.json").read_text())


def test_items_arrive_whole_in_their_own_container_with_their_record(server, audio):
    rows = gather(server, list(audio))
    assert states(rows) == ["collected"] * 3
    assert folders() == sorted(row.id for row in rows)
    for row, (path, data) in zip(rows, audio.items(), strict=True):
        suffix = Path(path).suffix
        assert {p.name for p in (ROOT / row.id).iterdir()} == {f"{row.id}{suffix}", f"{row.id}.info.json"}
        assert (ROOT / row.id / f"{row.id}{suffix}").read_bytes() == data
        told = record(row.id)
        assert told["sha256"] == row.sha256 == hashlib.sha256(data).hexdigest()
        assert (told["url"], told["rights"], told["bytes"]) == (server.url + path, RIGHTS, len(data))
        assert told["taken_by"] == f"rights: {RIGHTS}" and told["yt_dlp"] == web.version()
    assert [record(row.id)["duration_s"] for row in rows] == [3, 2, 1]


def test_a_second_call_asks_the_web_for_nothing_and_says_the_same(server, audio):
    first = gather(server, list(audio))
    server.requests.clear()
    again = gather(server, list(audio))
    assert (states(again), server.requests) == (["here"] * 3, [])
    for number, rows in enumerate((first, again)):
        table.write_table(Path(f"{number}.tsv"), rows)
    assert Path("0.tsv").read_bytes() == Path("1.tsv").read_bytes()


def test_one_that_fails_is_a_row_and_the_rest_goes_on(server, audio):
    server.files |= {"/page": b"<html><title>no audio</title></html>", "/text.ogg": b"no sound at all" * 100}
    server.types |= {"/page": "text/html", "/text.ogg": "audio/ogg", "/empty.ogg": "audio/ogg"}
    server.files["/empty.ogg"] = b""
    server.failures["/locked.ogg"] = [(403, {})] * 9
    bad = ["/gone.ogg", "/page", "/text.ogg", "/empty.ogg", "/locked.ogg", "http://127.0.0.1:1/x.ogg"]
    rows = gather(server, ["/a.ogg", *bad, "/c.wav"], retries=0)
    assert states(rows) == ["collected", *["failed"] * 6, "collected"]
    assert folders() == sorted(row.id for row in rows if row.state == "collected")
    reasons = [row.reason for row in rows if row.state == "failed"]
    assert "404" in reasons[0] and "Unsupported URL" in reasons[1] and "cannot be decoded" in reasons[2]
    assert "403" in reasons[4]
    assert all(reason and "\x1b" not in reason and "\n" not in reason for reason in reasons)
    assert states(gather(server, ["/a.ogg", "/gone.ogg"], retries=0)) == ["here", "failed"]


def test_a_connection_that_breaks_is_taken_up_again(server, audio):
    server.files["/long.wav"] = sound(20, 4, "WAV")
    server.types["/long.wav"] = "audio/wav"
    server.drop_after = [10_000_000, 100_000, 200_000, 50_000]  # the first request is of the look-up
    rows = gather(server, ["/long.wav"])
    assert states(rows) == ["collected"]
    assert len([asked for _, asked in server.requests if asked and asked != "bytes=0-"]) >= 3
    assert (ROOT / rows[0].id / f"{rows[0].id}.wav").read_bytes() == server.files["/long.wav"]


def test_one_that_stays_broken_leaves_nothing(server, audio):
    server.drop_after = [10_000_000] + [1000] + [0] * 40
    rows = gather(server, ["/a.ogg"], retries=2)
    assert (states(rows), folders()) == (["failed"], [])


def test_a_file_cut_off_at_its_source_is_refused(server, audio):
    server.files["/c.wav"] = audio["/c.wav"][:20_000]
    rows = gather(server, ["/c.wav"])
    assert states(rows) == ["failed"] and "cut off" in rows[0].reason
    assert folders() == []


@pytest.mark.parametrize("stated", [None, "1:00", "0:03"])
def test_a_feed_of_a_podcast_is_a_list_of_items_and_their_length_is_compared(server, audio, stated):
    length = f"<itunes:duration>{stated}</itunes:duration>" if stated else ""
    feed = (
        '<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Feed</title>'
        f'<item><title>One</title><guid>one</guid>{length}<enclosure url="{server.url}/a.ogg"/></item>'
        f'<item><title>Two</title><guid>two</guid><enclosure url="{server.url}/b.flac"/></item></channel></rss>'
    )
    server.files["/feed"], server.types["/feed"] = feed.encode(), "application/rss+xml"
    rows = gather(server, ["/feed"])
    if stated == "1:00":
        assert states(rows) == ["failed", "collected"]
        assert rows[0].reason == "3.0 s came of the 60.0 s that its site states"
        return
    assert states(rows) == ["collected", "collected"]
    assert [record(row.id)["title"] for row in rows] == ["One", "Two"]
    more = feed.replace("</channel>", f'<item><guid>three</guid><enclosure url="{server.url}/c.wav"/></item></channel>')
    server.files["/feed"] = more.encode()
    server.requests.clear()
    assert states(gather(server, ["/feed"])) == ["here", "here", "collected"]
    assert {path for path, _ in server.requests} == {"/feed", "/c.wav"}
    assert states(gather(server, ["/feed"], most_items=1)) == ["here"]


def test_without_a_confirmation_nothing_is_asked(server, audio):
    with pytest.raises(KaikuError, match="rights_confirmed is not set, so that nothing is collected"):
        gather(server, list(audio), rights_confirmed=False)
    assert server.requests == [] and folders() == []


def test_without_a_licence_or_right_an_item_is_refused_after_its_look_up(server, audio):
    rows = gather(server, [{"url": "/a.ogg"}, {"url": "/b.flac", "licence": "CC-BY-4.0"}, "/c.wav"])
    assert states(rows) == ["refused", "refused", "collected"]
    assert "states no licence, which means that all rights are reserved" in rows[0].reason
    assert "names a licence, but not by which `rights`" in rows[1].reason
    assert folders() == [rows[2].id]


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


CC = "Creative Commons Attribution license (reuse allowed)"


def test_a_licence_that_is_allowed_is_enough_and_another_is_not(server, audio, site):
    pages = [site("free", license=CC), site("closed", license="Standard YouTube License"), site("silent")]
    rows = gather(server, [{"url": page} for page in pages], allow_licences=[CC.upper()])
    assert states(rows) == ["collected", "refused", "refused"]
    assert rows[0].id == "loopback-free" and rows[0].licence == CC
    assert rows[1].reason == "its licence is 'Standard YouTube License', which is not in allow_licences"
    assert record("loopback-free")["taken_by"] == "licence in allow_licences"


@pytest.mark.parametrize(
    ("stated", "said"), [("CC BY-NC 4.0", "no commercial use"), ("CC BY-SA 4.0", "under the same licence")]
)
def test_what_asks_more_than_the_corpus_does_not_enter_it(server, audio, site, stated, said):
    page, own = site("x", license=stated), {"allow_licences": [stated]}
    rows = gather(server, [{"url": page}], licence="CC-BY-4.0", **own)
    assert states(rows) == ["refused"] and said in rows[0].reason
    assert states(gather(server, [{"url": page}], licence="CC-BY-NC-SA-4.0", **own)) == ["collected"]


@pytest.mark.parametrize(
    ("says", "own", "said"),
    [
        ({"availability": "subscriber_only"}, {}, "not for everyone"),
        ({"live_status": "is_live"}, {}, "it is live"),
        ({"duration": 3}, {"longest_s": 2}, "longest_s is 2"),
    ],
)
def test_what_is_not_open_live_or_too_long_is_refused(server, audio, site, says, own, said):
    rows = gather(server, [{"url": site("x", license=CC, **says)}], allow_licences=[CC], **own)
    assert states(rows) == ["refused"] and said in rows[0].reason


def captions(server, *cues):
    lines = "".join(f"\n00:0{n}.000 --> 00:0{n}.900\n{cue}\n" for n, cue in enumerate(cues))
    server.files["/captions.vtt"] = f"WEBVTT\n{lines}".encode()
    return [{"url": f"{server.url}/captions.vtt", "ext": "vtt"}]


@pytest.mark.parametrize(
    ("kind", "wish", "name", "kept"),
    [
        ("subtitles", "given", "fi", True),
        ("subtitles", "given", "fi-FI", True),
        ("subtitles", "given", "sv", False),
        ("subtitles", "none", "fi", False),
        ("automatic_captions", "given", "fi", False),
        ("automatic_captions", "automatic", "fi", True),
    ],
)
def test_captions_in_the_corpus_language_become_texts(server, audio, site, kind, wish, name, kept):
    page = site("talk", license=CC, **{kind: {name: captions(server, "hyvää päivää", "kiitos")}})
    rows = gather(server, [{"url": page}], allow_licences=[CC], captions=wish)
    assert states(rows) == ["collected"]
    assert (ROOT / "loopback-talk/loopback-talk.fi.vtt").exists() == kept
    told = record("loopback-talk")["captions"]
    assert told == ({"language": name, "automatic": kind == "automatic_captions"} if kept else None)


@pytest.mark.parametrize("text", [b"no captions", b"WEBVTT\n", b"WEBVTT\n\n0 --> 1\nx\n"])
def test_captions_that_are_none_are_left_and_the_item_is_taken(server, audio, site, text):
    offered = captions(server)
    server.files["/captions.vtt"] = text
    rows = gather(server, [{"url": site("talk", license=CC, subtitles={"fi": offered})}], allow_licences=[CC])
    assert states(rows) == ["collected"] and not list(ROOT.rglob("*.vtt"))


def test_a_full_disk_ends_the_call_and_what_came_stays(server, audio):
    """A file that may not grow further stands for a disk that is full: the same OSError, at the same call."""
    server.files["/long.wav"], server.types["/long.wav"] = sound(20, 4, "WAV"), "audio/wav"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(NoRoom, match="unable to write data"):
            gather(server, ["/a.ogg", "/long.wav", "/c.wav"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(folders()) == 1
    assert states(gather(server, ["/a.ogg", "/long.wav", "/c.wav"])) == ["here", "collected", "collected"]


def test_an_item_larger_than_the_disk_is_not_begun(server, audio, site):
    page = site("huge", license=CC, filesize=10**18)
    with pytest.raises(NoRoom, match=r"1000000000\.0 GB are to come"):
        gather(server, [{"url": page}], allow_licences=[CC])
    assert folders() == []


def test_the_same_item_by_two_addresses_is_taken_once(server, audio, site):
    first = site("same", license=CC)
    server.json["/watch/same?again"] = server.json[first]
    rows = gather(server, [{"url": first}, {"url": f"{first}?again"}], allow_licences=[CC])
    assert states(rows) == ["collected", "here"]
    assert folders() == ["loopback-same"]


def test_secrets_stay_out_of_the_record(server, audio, site, monkeypatch, tmp_path):
    jar = tmp_path / "jar.txt"
    jar.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tVERYSECRET\n")
    before = jar.read_bytes()
    monkeypatch.setenv(web.COOKIES, str(jar))
    rows = gather(server, [{"url": site("x", license=CC, http_headers={"X-Key": "VERYSECRET"})}], allow_licences=[CC])
    assert states(rows) == ["collected"]
    assert server.cookies == {"session=VERYSECRET"}
    assert jar.read_bytes() == before
    assert [path for path in ROOT.rglob("*") if path.is_file() and b"VERYSECRET" in path.read_bytes()] == []
    assert {path.name for path in ROOT.rglob("*")} == {"loopback-x", "loopback-x.ogg", "loopback-x.info.json"}


def test_cookies_that_are_not_there_are_missed_at_once(server, audio, monkeypatch):
    monkeypatch.setenv(web.COOKIES, "/nowhere/cookies.txt")
    with pytest.raises(KaikuError, match=r"KAIKU_COOKIES: /nowhere/cookies\.txt is not there"):
        gather(server, list(audio))


def test_an_id_of_ones_own_names_the_folder_and_no_other_item_takes_its_place(server, audio):
    assert states(gather(server, [{"url": "/a.ogg", "id": "talk-1", "rights": RIGHTS}])) == ["collected"]
    assert folders() == ["talk-1"]
    rows = gather(server, [{"url": "/b.flac", "id": "talk-1", "rights": RIGHTS}])
    assert states(rows) == ["refused"] and "is there already" in rows[0].reason
    assert record("talk-1")["url"] == f"{server.url}/a.ogg"


def test_files_of_one_name_at_two_places_are_two_items(server, audio):
    server.files["/other/a.ogg"], server.types["/other/a.ogg"] = sound(1, 9), "audio/ogg"
    rows = gather(server, ["/a.ogg", "/other/a.ogg"])
    assert states(rows) == ["collected"] * 2
    assert len(folders()) == 2 and all(re.fullmatch(r"generic-a-[0-9a-f]{8}", name) for name in folders())


def test_what_users_put_beside_is_left_alone(server, audio):
    (ROOT / "mine").mkdir(parents=True)
    (ROOT / "mine/mine.wav").write_bytes(audio["/c.wav"])
    (ROOT / "mine/mine.info.json").write_text("{no json")
    (ROOT / ".notes").mkdir()
    gather(server, ["/a.ogg"])
    assert {"mine", ".notes"} <= set(folders())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b", "holds no list"),
        ("[", "is no YAML"),
        ("- ftp://x.org/x", "entry 1.url: 'ftp://x.org/x' is no web address"),
        ("- file:///etc/passwd", "is no web address"),
        ("- {url: https://x.org/x, right: mine}", "entry 1.right is not a setting; did you mean 'rights'?"),
        ("- {url: https://x.org/x, id: ../x}", "'../x' is no name of a folder"),
        ("- https://x.org/x\n- https://x.org/x", "address https://x.org/x stands there twice"),
        ("- 3", "entry 1"),
    ],
)
def test_a_list_that_means_nothing_is_refused(tmp_path, text, said):
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        sources.read(tmp_path / "sources.yaml")
    assert said in str(caught.value)


def test_no_list_says_what_one_looks_like(tmp_path):
    with pytest.raises(SettingsError, match=r"is not there.*a list of sources"):
        sources.read(tmp_path / "none.yaml")


def test_without_yt_dlp_one_sentence_says_what_to_install(server, audio, monkeypatch):
    monkeypatch.setitem(sys.modules, "yt_dlp.version", None)
    with pytest.raises(KaikuError, match=r"yt-dlp is not installed.*pip install yt-dlp"):
        gather(server, list(audio))


def settings_file(server, **own):
    own = {"sources": "sources.yaml", "rights_confirmed": True, "pause_s": [0, 0], **own}
    corpus = {"layout": "recordings", "language": "fi", "speaker": "x", "licence": "own", "shards": 2, "collect": own}
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps({"system": "test", "corpora": {"x": corpus}}))


def listed(server, *paths):
    Path("sources.yaml").write_text(json.dumps([{"url": server.url + path, "rights": RIGHTS} for path in paths]))


def test_the_program_collects_scans_and_writes_the_table(server, audio, capsys):
    settings_file(server)
    listed(server, "/a.ogg", "/gone.ogg")
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert "computed 1, reused 0, failed 1" in capsys.readouterr().err
    folder = Path("data/manifests/x")
    assert len(list(scan.recordings(folder))) == 1 and scan.read_problems(folder) == []
    rows = table.read_table(folder / table.TABLE)
    assert [row.state for row in rows] == ["collected", "failed"]
    assert table.waiting(Path("sources.yaml"), folder / table.TABLE) == 1
    listed(server, "/a.ogg", "/b.flac")
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert len(list(scan.recordings(folder))) == 2
    assert table.waiting(Path("sources.yaml"), folder / table.TABLE) == 0


def test_the_program_names_the_corpora_that_are_collected(server, capsys):
    settings_file(server)
    assert collect_recordings.main(["--corpus", ""]) == 1
    assert "corpora.: nothing to collect is configured. Expected: one of x." in capsys.readouterr().err


def test_the_program_fails_where_nothing_came_and_says_why(server, capsys):
    settings_file(server, retries=0)
    listed(server, "/gone.ogg", "/lost.ogg")
    assert collect_recordings.main(["--corpus", "x"]) == 1
    said = capsys.readouterr().err
    assert "of 2 items none was collected" in said and "404" in said
    assert [row.state for row in table.read_table(Path("data/manifests/x") / table.TABLE)] == ["failed"] * 2


def test_a_killed_process_leaves_no_orphan_and_the_next_call_goes_on(server, audio):
    settings_file(server)
    server.files["/long.wav"], server.types["/long.wav"] = sound(60, 5, "WAV"), "audio/wav"
    listed(server, "/a.ogg", "/long.wav", "/c.wav")
    server.stall_for["/long.wav"] = [None, 500_000]  # the look-up goes through, the download stands still
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "workflow_scripts.collect_recordings", "--corpus", "x"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if list(ROOT.glob(".*/work/audio.wav.part")) or process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    hidden = [path.name for path in ROOT.glob(".*")]
    assert hidden and len([name for name in folders() if not name.startswith(".")]) == 1
    assert not (Path("data/manifests/x") / table.TABLE).exists()
    server.released.set()
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert [p.name for p in ROOT.glob(".*")] == [] and len(folders()) == 3
    assert len(list(scan.recordings(Path("data/manifests/x")))) == 3
    assert [row.state for row in table.read_table(Path("data/manifests/x") / table.TABLE)] == ["collected"] * 3


def piece(number):
    """Two seconds of an HLS stream: AAC in MPEG-TS."""
    import av

    data = io.BytesIO()
    with av.open(data, "w", format="mpegts") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        samples = np.random.default_rng(number).normal(0, 0.1, (1, 32_000)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, number * 32_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return data.getvalue()


@pytest.mark.parametrize("gone", [False, True])
def test_a_stream_in_pieces_is_joined_without_ffmpeg_or_fails_where_one_is_gone(server, gone):
    lines = "".join(f"#EXTINF:2.0,\n{number}.ts\n" for number in range(3))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n{lines}#EXT-X-ENDLIST\n"
    server.files["/talk.m3u8"], server.types["/talk.m3u8"] = text.encode(), "application/vnd.apple.mpegurl"
    server.files |= {f"/{number}.ts": piece(number) for number in range(3) if not (gone and number == 1)}
    rows = gather(server, ["/talk.m3u8"], retries=1)
    if gone:
        assert (states(rows), folders()) == (["failed"], [])
    else:
        assert states(rows) == ["collected"] and 5.8 < float(rows[0].duration_s) < 6.4
