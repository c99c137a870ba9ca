"""Downloads from servers that stall, refuse, change their mind, or are not the only one; and a disk that is full."""

import email.utils
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from loopback import NOISE, files_in, get, link, nothing_at, tar_of
from pydantic import ValidationError

from kaiku import fetch
from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch import Source, download, unpack
from kaiku.fetch.room import NoRoom
from workflow_scripts import fetch_corpus


@pytest.fixture
def waits(monkeypatch):
    """Seconds that downloads would have waited."""
    asked = []
    monkeypatch.setattr(download.time, "sleep", asked.append)
    return asked


def test_a_server_that_stalls_is_hung_up_on_and_asked_for_the_rest(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    server.files["/x"] = tar_of({"a.wav": NOISE})
    server.stall_after = [1000, 2000]
    get(Source(url=f"{server.url}/x"))
    assert [asked for _, asked in server.requests] == [None, "bytes=1000-", "bytes=3000-"]
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_a_connection_that_breaks_again_and_again_is_no_reason_to_stop_while_it_goes_on(server, waits):
    server.files["/x"] = tar_of({"a.wav": NOISE}, "w")
    server.drop_after = [20_000] * 14
    get(Source(url=f"{server.url}/x"))
    assert len(server.requests) == 15
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_one_that_comes_no_further_is_given_up(server, waits):
    server.files["/x"] = tar_of({"a.wav": NOISE})
    server.drop_after = [1000] + [0] * 50
    with pytest.raises(KaikuError, match=r"1000 of the \d+ bytes it stated.*the 1000 bytes that came are kept"):
        get(Source(url=f"{server.url}/x"))
    assert len(server.requests) == 1 + download.ATTEMPTS
    assert nothing_at()


@pytest.mark.parametrize("asked_s", [0, 7, 10_000_000])
def test_a_server_that_asks_for_patience_gets_it(server, waits, asked_s):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    server.failures["/x"] = [(429, {"Retry-After": str(asked_s)}), (503, {})]
    server.failures["/x"] += [(500, {"Retry-After": text}) for text in ("soon", "²")]
    get(Source(url=f"{server.url}/x"))
    assert waits == [min(asked_s, download.LONGEST_WAIT_S), 0, 0, 0]
    assert len(server.requests) == 5


def test_patience_may_be_asked_for_until_a_time_of_day(server, waits):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    until = email.utils.formatdate(time.time() + 100, usegmt=True)
    server.failures["/x"] = [(503, {"Retry-After": until})]
    get(Source(url=f"{server.url}/x"))
    assert 90 < waits[0] <= 100


@pytest.mark.parametrize("answer", [(200, {}), (200, {"Content-Length": "²"}), (416, {})])
def test_an_answer_without_a_byte_is_worth_another_attempt_also_in_the_next_call(server, waits, answer):
    server.files["/x"], server.lengths = tar_of({"a.wav": b"one"}), "Content-Length" not in answer[1]
    server.failures["/x"] = [answer] * (download.ATTEMPTS + 1)
    with pytest.raises(KaikuError, match=r"the server (sent nothing|has nothing from byte 0 on)"):
        get(Source(url=f"{server.url}/x"))
    get(Source(url=f"{server.url}/x"))
    assert len(server.requests) == download.ATTEMPTS + 2
    assert files_in("data/raw/x") == {"a.wav": b"one"}


def test_a_death_after_an_answer_of_no_bytes_stands_in_nobody_s_way(server, monkeypatch):
    server.failures["/x"], server.files["/x"] = [(200, {})], tar_of({"a.wav": b"one"})
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(download, "_receive", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        get(Source(url=f"{server.url}/x"))
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"a.wav": b"one"}


def test_a_server_that_sends_the_rest_of_another_file_is_found_out(server, waits):
    server.files["/x"], server.heeds = tar_of({"a.wav": NOISE}, "w"), False
    server.drop_after = [100_000] + [0] * download.ATTEMPTS
    with pytest.raises(KaikuError, match="that came are kept"):
        get(Source(url=f"{server.url}/x"))
    server.drop_after, server.files["/x"] = [], tar_of({"a.wav": NOISE[::-1]}, "w")
    get(Source(url=f"{server.url}/x"))
    assert [asked for _, asked in server.requests][-2:] == ["bytes=100000-", None]
    assert files_in("data/raw/x") == {"a.wav": NOISE[::-1]}


def test_a_length_that_only_the_second_answer_states_counts(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    server.files["/x"], server.lengths = tar_of({"a.wav": NOISE}), False
    server.stall_after, server.drop_after = [100_000], [50_000]
    get(Source(url=f"{server.url}/x"))
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_an_address_with_letters_of_other_languages_is_asked_for_as_the_web_writes_it(server):
    server.files["/%C3%A4%20a?q=%C3%B6"] = tar_of({"a.wav": b"one"})
    url = f"{server.url}/ä%20a?q=ö"
    assert get(Source(url=url))["url"] == url
    assert files_in("data/raw/x") == {"a.wav": b"one"}


@pytest.mark.parametrize("url", ["ftp://x.org/a", "https://[bad/x", "https://x.org:99999/a", "https://x.org/a b"])
def test_what_is_no_web_address_is_told_before_anything_is_asked(url):
    with pytest.raises(ValidationError, match="is no web address"):
        Source(url=url)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_asked_again(server, waits, status):
    server.failures["/x"] = [(status, {})]
    with pytest.raises(KaikuError, match=f"answered {status}"):
        get(Source(url=f"{server.url}/x"))
    assert (len(server.requests), waits) == (1, [])
    assert nothing_at()


def test_without_a_validator_nothing_is_joined_unless_a_digest_will_tell(server):
    server.files["/x"], server.etags = tar_of({"a.wav": NOISE}), False
    server.drop_after = [100_000]
    get(Source(url=f"{server.url}/x"))
    assert [asked for _, asked in server.requests] == [None, None]

    server.requests.clear()
    server.drop_after = [100_000]
    get(Source(url=f"{server.url}/x", sha256=sha256(server.files["/x"])), Path("data/raw/y"))
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-"]


def test_a_mirror_is_asked_where_a_server_gives_up_and_goes_on_where_it_broke_off(server, waits):
    data = tar_of({"a.wav": NOISE})
    server.files |= {"/x": data, "/same": data}
    server.drop_after = [100_000] + [0] * download.ATTEMPTS
    source = Source(url=f"{server.url}/x", mirrors=[f"{server.url}/gone", f"{server.url}/same"], sha256=sha256(data))
    record = get(source)
    assert [path for path, _ in server.requests][-2:] == ["/gone", "/same"]
    assert server.requests[-1][1] == "bytes=100000-"
    assert record["url"] == f"{server.url}/x"  # whoever sent it: another machine with other mirrors has the same record
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_a_mirror_that_serves_something_else_is_passed_over(server):
    data = tar_of({"a.wav": NOISE})
    server.files |= {"/x": tar_of({"a.wav": b"evil"}), "/same": data}
    get(Source(url=f"{server.url}/x", mirrors=[f"{server.url}/same"], sha256=sha256(data)))
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_all_mirrors_gone_say_the_last_and_leave_nothing(server):
    with pytest.raises(KaikuError, match="/b: the server answered 404"):
        get(Source(url=f"{server.url}/a", mirrors=[f"{server.url}/b"]))
    assert nothing_at()


def test_halves_of_two_files_that_were_joined_are_thrown_away(server):
    """A server without validators whose file changed meanwhile: the digest tells, and the next call begins anew."""
    good, server.etags = tar_of({"a.wav": NOISE}, "w"), False
    server.files["/x"], server.drop_after = good, [100_000] + [0] * 10
    with pytest.raises(KaikuError, match="that came are kept"):
        get(Source(url=f"{server.url}/x", sha256=sha256(good)))
    server.drop_after, server.files["/x"] = [], tar_of({"a.wav": NOISE[::-1]}, "w")
    with pytest.raises(CorruptFile, match="has sha256"):
        get(Source(url=f"{server.url}/x", sha256=sha256(good)))
    assert not list(Path("work/fetch").rglob("archive"))
    server.files["/x"] = good
    get(Source(url=f"{server.url}/x", sha256=sha256(good)))
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_an_md5_is_asked_for_and_the_sha256_recorded(server):
    data = tar_of({"a.wav": b"one"})
    server.files["/x"] = data
    record = get(Source(url=f"{server.url}/x", md5=hashlib.md5(data).hexdigest()))
    assert record["sha256"] == sha256(data)
    with pytest.raises(CorruptFile, match="has md5"):
        get(Source(url=f"{server.url}/x", md5="0" * 32), Path("data/raw/y"))
    assert nothing_at(Path("data/raw/y"))


def test_several_archives_make_one_corpus_each_in_its_folder(server):
    parts = {"/f": tar_of({"index": b"f"}), "/m": tar_of({"index": b"m"})}
    server.files |= parts
    source = Source(url=f"{server.url}/f", into="female", also=[{"url": f"{server.url}/m", "into": "male"}])
    record = get(source)
    assert files_in("data/raw/x") == {"female/index": b"f", "male/index": b"m"}
    assert [record["sha256"], record["also"][0]["sha256"]] == [sha256(data) for data in parts.values()]
    server.files["/m"] = tar_of({"index": b"another"})
    with pytest.raises(CorruptFile, match="/m: the archive has sha256"):
        get(source, Path("data/raw/again"), known=record)
    assert nothing_at(Path("data/raw/again"))


def test_a_full_disk_says_so_at_once_and_keeps_what_came(server, waits):
    """A file that may not grow further stands for a disk that is full: the same OSError, at the same call."""
    data = tar_of({"a.wav": NOISE}, "w")
    server.files |= {"/x": data, "/same": data}
    source = Source(url=f"{server.url}/x", mirrors=[f"{server.url}/same"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(NoRoom, match="cannot be written"):
            get(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (len(server.requests), waits) == (1, [])
    get(source)
    assert server.requests[-1] == ("/x", "bytes=100000-")
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_a_file_larger_than_the_disk_is_not_begun(server, monkeypatch):
    server.files["/x"] = tar_of({"a.wav": NOISE})
    monkeypatch.setattr("kaiku.fetch.room.shutil.disk_usage", lambda folder: type("", (), {"free": 1000}))
    with pytest.raises(NoRoom, match=r"0\.0 GB are free"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_unpacks_to_very_much_is_refused(server, monkeypatch, kind):
    monkeypatch.setattr(unpack, "ALWAYS_FINE", 1000)
    nothing = bytes(5_000_000)  # deflates a thousandfold
    if kind == "tar":
        server.files["/x"] = tar_of({"a": nothing})
    else:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("a", nothing)
        server.files["/x"] = held.getvalue()
    with pytest.raises(KaikuError, match="200 times its size"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()
    assert not list(Path("work/fetch").rglob("archive"))


def test_a_hard_link_or_a_deep_link_inside_is_fine(server):
    server.files["/x"] = tar_of(
        {"d/a.wav": b"one", "b.wav": link("b.wav", "d/a.wav"), "d/c.wav": link("d/c.wav", "a.wav")}
    )
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"d/a.wav": b"one", "b.wav": b"one", "d/c.wav": b"one"}


def test_progress_is_told_in_mebibytes_with_the_time_left(server, monkeypatch, capsys):
    monkeypatch.setattr("kaiku.progress.LINE_EVERY_S", -1)
    server.files["/x"] = tar_of({"a.wav": NOISE * 14}, "w")
    get(Source(url=f"{server.url}/x"))
    told = [line for line in capsys.readouterr().err.splitlines() if "download: " in line]
    assert len(told) == 4
    assert "4/5 MiBs (80%)" in told[-1] and told[-1].endswith("left")


def test_the_record_of_one_archive_is_as_it_always_was(server):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    assert set(get(Source(url=f"{server.url}/x"))) == {"url", "sha256", "bytes"}
    assert fetch.read_record(Path("nowhere")) is None


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_what_is_fetched_is_told_apart_by_what_changes_it_alone():
    plain = Source(hub="o/m", revision="main")
    assert plain.identity() == '{"url":null,"sha256":null,"hub":"o/m","revision":"main"}'
    assert Source(hub="o/m", revision="main", gated=True, asks="a form").identity() == plain.identity()
    assert Source(hub="o/m", revision="main", files=["*.json"]).identity() != plain.identity()
    archive = {"url": "https://x.org/a"}
    one = Source(url="https://x.org/x", also=[archive])
    assert Source(url="https://x.org/x", mirrors=["https://y.org/x"], also=[archive]).identity() == one.identity()
    mirrored = {**archive, "mirrors": ["https://y.org/a"]}
    assert Source(url="https://x.org/x", also=[mirrored]).identity() == one.identity()
    assert Source(url="https://x.org/x", also=[{**archive, "into": "a"}]).identity() != one.identity()


@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_a_server_that_states_no_length_and_breaks_off_is_found_out(server, kind):
    server.files["/x"], server.lengths = tar_of({"a.wav": NOISE, "b.wav": NOISE}, kind), False
    server.drop_after = [400_000]
    with pytest.raises(CorruptFile):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"a.wav": NOISE, "b.wav": NOISE}


def test_a_killed_process_is_taken_up_where_it_died(server):
    server.files["/x"] = tar_of({"SPK/a.wav": NOISE}, "w")
    server.stall_after = [200_000]
    corpus = {"layout": "wav_lab", "licence": "own", "source": {"url": f"{server.url}/x"}}
    Path("work").mkdir()
    Path("work/settings.json").write_text(json.dumps({"system": "test", "corpora": {"x": corpus}}))
    command = [sys.executable, "-m", "workflow_scripts.fetch_corpus", "--corpus", "x"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if (
                sum(p.stat().st_size for p in Path("work/fetch").rglob("archive")) == 200_000
                or process.poll() is not None
            ):
                break
            time.sleep(0.1)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not Path("data/raw/x").exists()
    assert fetch_corpus.main(["--corpus", "x"]) == 0
    assert server.requests[-1] == ("/x", "bytes=200000-")
    assert files_in("data/raw/x") == {"SPK/a.wav": NOISE}
    assert not list(Path("data/raw").glob(".*"))
