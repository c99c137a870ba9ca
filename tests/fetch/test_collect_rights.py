"""What a site says of its items: licences, captions, addresses and secrets."""

import pytest
from collecting import CC, ROOT, folders, gather, record, states

from kaiku.collect import table, web
from kaiku.fetch.room import NoRoom


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


def feed(server, token, *ids):
    """A podcast feed on the server: one recording under several ids, and a page; their addresses hold a token."""
    places = [*((guid, f"/a.ogg?token={token}") for guid in ids), ("page", f"/page?token={token}")]
    items = [f'<item><guid>{guid}</guid><enclosure url="{server.url}{path}"/></item>' for guid, path in places]
    served = {
        "/feed": (f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode(), "application/rss+xml"),
        f"/a.ogg?token={token}": (server.files["/a.ogg"], "audio/ogg"),
        f"/page?token={token}": (b"<html><title>no audio</title></html>", "text/html"),
    }
    for path, (data, kind) in served.items():
        server.files[path], server.types[path] = data, kind


def test_an_episode_is_known_by_the_id_that_its_feed_gives_it_and_no_token_is_kept(server, audio):
    feed(server, "SECRET1", "one")
    assert states(gather(server, ["/feed"], retries=0)) == ["collected", "failed"]
    feed(server, "SECRET2", "one", "two")
    rows = gather(server, ["/feed"], retries=0)
    assert states(rows) == ["here", "collected", "failed"]
    assert [row.url for row in rows] == [f"{server.url}{path}" for path in ("/a.ogg", "/a.ogg", "/page")]
    assert rows[2].reason == f"Unsupported URL: {server.url}/page"
    assert len(folders()) == 2 and [record(row.id)["id"] for row in rows[:2]] == ["one", "two"]
    table.write_table(ROOT / table.TABLE, rows)
    assert [path for path in ROOT.rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()] == []


def test_an_item_listed_by_itself_keeps_all_of_its_address(server, audio):
    server.files["/get?item=1"], server.types["/get?item=1"] = audio["/a.ogg"], "audio/ogg"
    rows = gather(server, ["/get?item=1"])
    assert record(rows[0].id)["url"] == rows[0].url == f"{server.url}/get?item=1"
    server.requests.clear()
    assert states(gather(server, ["/get?item=1"])) == ["here"] and server.requests == []
