"""Collecting from a web on the loopback with yt-dlp itself: rights first, whole items, and no orphan of any death."""

import hashlib
import io
import re
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from collecting import RIGHTS, ROOT, folders, gather, record, sound, states

from kaiku.collect import sources, table, web
from kaiku.errors import KaikuError, SettingsError
from kaiku.fetch.room import NoRoom


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
