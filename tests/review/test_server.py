import io
import json
import shutil
import socket
import threading
from pathlib import Path

import pytest
import review_world
import soundfile
from review_client import Client
from review_world import CORPUS, DATASET, SHARD

from kaiku import settings as configuration
from kaiku.errors import KaikuError
from kaiku.review import files
from kaiku.review.index import Index
from kaiku.review.server import ADDRESS, MOST_BODY, Review, Server
from kaiku.store import rows
from kaiku.store.artefacts import TRANSCRIPTS
from workflow_scripts import select_segments


def test_the_overview_counts(client):
    found = client.json("/api/overview")
    assert (found["clips"], found["kept"], found["dropped"]) == (6, 4, 2)
    assert found["reasons"] == {"peak_db_high": 1, "no_text": 1}
    assert found["lapsed"] == 0 and found["decided"] == {} and "peak_db" in found["measures"]


def test_lists_in_all_orders_hold_the_same_clips(client):
    orders = [*client.json("/api/overview")["orders"], "peak_db:up", "confidence:down"]
    lists = {order: client.listed(order=order) for order in orders}
    assert {tuple(sorted(clips)) for clips in lists.values()} == {tuple(review_world.TEXTS)}
    assert lists["longest"][0] == "c4-long" == lists["shortest"][-1]
    assert lists["reason"][-2:] == ["c5-none", "c3-loud"]
    assert lists["peak_db:up"][-1] == "c3-loud"
    assert client.listed(order="random", seed=1) == client.listed(order="random", seed=1)


def test_texts_that_are_doubtful_come_first_and_say_why(client):
    path = Path(f"data/transcripts/given/{CORPUS}/{SHARD}.parquet")
    found = rows.read(path, TRANSCRIPTS).to_pylist()
    found[4]["confidence"] = 0.05
    rows.write(path, rows.table(found, TRANSCRIPTS))
    first = client.json("/api/clips", order="suspicion", anew=1)["clips"][0]
    assert (first["clip"], first["why"]) == ("c4-long", "confidence is 0.05")
    assert client.json("/api/clip", corpus=CORPUS, clip="c4-long")["suspicion"]["why"] == "confidence is 0.05"


def test_what_lies_nearest_to_a_bound_comes_first_and_says_to_which(client):
    clips = client.json("/api/clips", order="near")["clips"]
    assert clips[0]["clip"] == "c3-loud"
    assert clips[0]["why"].startswith("peak_db -0.9") and clips[0]["why"].endswith("bound -3")


def test_lists_can_be_narrowed_and_come_in_pages(client):
    assert client.listed(order="corpus", show="dropped") == ["c3-loud", "c5-none"]
    assert client.listed(order="corpus", reason="no_text") == ["c5-none"]
    assert client.listed(order="corpus", find="KELLON") == ["c0-fi"]
    assert client.listed(order="corpus", find="శ్రీ") == ["c1-te"]
    page = client.json("/api/clips", order="corpus", offset=4, limit=1)
    assert page["total"] == 6 and [clip["clip"] for clip in page["clips"]] == ["c4-long"]


def test_a_list_stays_as_it_was_until_it_is_asked_for_anew(client):
    asked = {"order": "corpus", "show": "open"}
    assert len(client.listed(**asked)) == 6
    client.decide("c0-fi", "reject")
    assert len(client.listed(**asked)) == 6
    assert len(client.listed(**asked, anew=1)) == 5
    assert client.listed(order="corpus", show="reject") == ["c0-fi"]


def test_a_run_meanwhile_moves_nothing_in_a_list(client):
    asked = {"order": "corpus", "show": "open"}
    client.listed(**asked)
    for clip in ("c0-fi", "c1-te", "c2-hi"):
        client.decide(clip, "reject")
    for suffix in ("wav", "lab"):
        Path(f"raw/c4-long.{suffix}").unlink()
    review_world.run(review_world.settings())
    client.json("/api/overview")
    page = client.json("/api/clips", **asked, offset=3)
    assert page["total"] == 6 and [clip["clip"] for clip in page["clips"]] == ["c3-loud", "c4-long", "c5-none"]
    assert page["clips"][1]["why"] == "no longer there" and set(page["clips"][1]) == set(page["clips"][0])
    assert client.listed(**asked, anew=1) == ["c3-loud", "c5-none"]


def test_clips_of_derived_corpora_are_not_listed(world):
    config = {**review_world.CONFIG, "corpora": {**review_world.CONFIG["corpora"]}}
    config["corpora"]["voices-slow"] = {"derived": {"of": CORPUS, "speed": 0.9}}
    config["datasets"] = {DATASET: {**config["datasets"][DATASET], "corpora": [CORPUS, "voices-slow"]}}
    shutil.copytree(f"data/segments/{CORPUS}", "data/segments/voices-slow")
    index = Index(configuration.load(config), DATASET)
    assert len(index.frame) == 6 and index.corpora == [CORPUS]


def test_everything_about_a_clip(client):
    found = client.json("/api/clip", corpus=CORPUS, clip="c3-loud")
    assert found["words"].startswith("peak_db -0.9") and found["words"].endswith("above -3")
    assert found["measures"][0]["name"] == "peak_db" and found["measures"][0]["ok"] is False
    assert found["kept"] is False and found["history"] == [] and found["decision"] is None
    assert len(found["peaks"]) == 600 and max(high for _, high in found["peaks"]) == pytest.approx(0.9, abs=0.01)
    first = client.json("/api/clip", corpus=CORPUS, clip="c0-fi")
    assert [text["asr"] for text in first["texts"]] == ["given", "heard"]
    assert first["texts"][1]["text"] == "Metsuri maalasi oudon pellon metsässä"


def test_decisions_are_in_the_file_at_once_and_the_next_run_takes_them(client):
    status, found = client.decide("c3-loud", "keep", note="fine on headphones")
    assert status == 200 and found["verdict"] == "keep" and "next run takes it" in found["next"]
    client.decide("c0-fi", "reject")
    client.decide("c1-te", "text", text="  నమస్కారం \n 3 ")
    (line,) = [d for d in files.read(files.path_of(CORPUS, SHARD)) if d.verdict == "keep"]
    assert (line.recording, line.start_ms, line.end_ms) == ("c3-loud", 0, 600)
    assert line.reviewer == "tester" and line.note == "fine on headphones"
    review_world.run(review_world.settings())
    selected = review_world.selection()
    assert selected.loc["c3-loud", ["kept", "reason", "review"]].tolist() == [True, "", "keep"]
    assert selected.loc["c0-fi", ["kept", "reason"]].tolist() == [False, "review_rejected"]
    assert selected.loc["c1-te", ["kept", "text"]].tolist() == [True, "నమస్కారం kolme"]
    found = client.json("/api/clip", corpus=CORPUS, clip="c0-fi")
    assert found["words"] == "somebody listened and rejected it" and found["next"] == ""
    assert client.json("/api/overview")["kept"] == 4


def test_what_is_decided_while_a_selection_is_made_is_in_it(client, monkeypatch):
    client.decide("c0-fi", "keep")
    write, written = select_segments.tables.write_selection, []

    def write_while_somebody_decides(path, frame):
        write(path, frame)
        written.append(dict(zip(frame["clip"], frame["review"])))
        if len(written) == 1:
            client.decide("c1-te", "reject")

    monkeypatch.setattr(select_segments.tables, "write_selection", write_while_somebody_decides)
    review_world.run(review_world.settings())
    assert [made["c1-te"] for made in written] == ["", "reject"]
    assert review_world.selection().loc["c1-te", "reason"] == "review_rejected"


def test_a_run_that_makes_files_anew_takes_no_clip_from_the_page(client):
    paths = [Path(f"data/{kind}/{CORPUS}/{SHARD}.parquet") for kind in ("segments", f"selection/{DATASET}")]
    kept = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    found = client.json("/api/overview")
    assert (found["clips"], found["kept"], found["dropped"]) == (6, 4, 2)
    assert client.decide("c0-fi", "reject")[0] == 200
    for path, content in zip(paths, kept):
        path.write_bytes(content)
    assert client.json("/api/overview")["decided"] == {"reject": 1}
    for path in Path("raw").glob("c[0-4]*"):
        path.unlink()
    review_world.run(review_world.settings())
    assert client.json("/api/overview")["clips"] == 1 and client.listed(anew=1) == ["c5-none"]


def test_two_tabs_lose_nothing_of_each_other(client):
    def tab(verdict):
        for clip in review_world.TEXTS:
            assert Client(client.server).decide(clip, verdict)[0] == 200

    tabs = [threading.Thread(target=tab, args=(verdict,)) for verdict in ("keep", "reject")]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    lines = review_world.decided()
    assert len(lines) == 12 and {(name, verdict) for name, verdict, _ in lines} == {
        (clip, verdict) for clip in review_world.TEXTS for verdict in ("keep", "reject")
    }
    for clip in review_world.TEXTS:
        found = client.json("/api/clip", corpus=CORPUS, clip=clip)
        assert len(found["history"]) == 2 and found["history"][-1]["verdict"] == found["verdict"]


def test_a_decision_counts_even_where_an_earlier_clock_was_ahead(client):
    ahead = files.read(files.path_of(CORPUS, SHARD))
    assert ahead == []
    client.decide("c0-fi", "keep")
    (own,) = files.read(files.path_of(CORPUS, SHARD))
    files.add(CORPUS, SHARD, [files.replace(own, verdict="reject", time="2999-01-01T00:00:00.000Z")])
    assert client.decide("c0-fi", "keep")[1]["verdict"] == "keep"
    assert client.decide("c0-fi", "none")[1]["verdict"] == ""


def test_a_verdict_without_a_text_leaves_the_correction_that_stands(client):
    client.decide("c0-fi", "text", text="uusi")
    for verdict in ("keep", "reject", "keep"):
        client.decide("c0-fi", verdict)
    client.decide("c0-fi", "keep", text="")
    client.decide("c0-fi", "none")
    client.decide("c0-fi", "keep")
    assert [line[1:] for line in review_world.decided()] == [
        ("text", "uusi"),
        ("keep", "uusi"),
        ("reject", "uusi"),
        ("keep", "uusi"),
        ("keep", ""),
        ("none", ""),
        ("keep", ""),
    ]


def test_what_cannot_be_written_or_heard_says_so(client, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(client.server.review.sound, "of", broken)
    status, found = client.decide("c0-fi", "keep")
    assert (status, found["verdict"], found["sound"]) == (200, "keep", "[Errno 5] Input/output error")
    monkeypatch.setattr(files, "write", broken)
    status, found = client.decide("c1-te", "keep")
    assert status == 409 and "the decision was not written: [Errno 5]" in found["error"]
    assert [line[0] for line in review_world.decided()] == ["c0-fi"]


def test_what_no_longer_applies_is_listed(client):
    client.decide("c0-fi", "keep")
    for name in ("c0-fi", "c1-te"):
        samples, rate = soundfile.read(f"raw/{name}.wav")
        soundfile.write(f"raw/{name}.wav", samples * 0.5, rate, subtype="PCM_16")
    assert client.json("/api/clip", corpus=CORPUS, clip="c0-fi")["verdict"] == "keep", "of what was listened to"
    assert "changed" in client.json("/api/clip", corpus=CORPUS, clip="c1-te")["sound"], "not heard yet"
    review_world.run(review_world.settings())
    (lapsed,) = client.json("/api/lapsed")["decisions"]
    assert (lapsed["recording"], lapsed["why"]) == ("c0-fi", "its recording was edited")
    assert client.json("/api/overview")["lapsed"] == 1
    assert review_world.selection().loc["c0-fi", "review"] == ""
    assert client.json("/api/clip", corpus=CORPUS, clip="c0-fi")["sound"] == ""


def test_audio_comes_whole_and_in_parts(client):
    answer, whole = client.ask("/audio", corpus=CORPUS, clip="c4-long")
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
    expected, _ = soundfile.read("raw/c4-long.wav", dtype="int16")
    assert answer.getheader("Content-Type") == "audio/wav" and rate == 16_000
    assert abs(samples.astype(int) - expected).max() <= 1
    for asked, first, last in (("bytes=10-19", 10, 20), ("bytes=100-", 100, None), ("bytes=-7", -7, None)):
        answer, part = client.ask("/audio", corpus=CORPUS, clip="c4-long", headers={"Range": asked})
        assert (answer.status, part) == (206, whole[first:last])
        assert answer.getheader("Content-Range").endswith(f"/{len(whole)}")
    answer, part = client.ask("/audio", corpus=CORPUS, clip="c4-long", headers={"Range": f"bytes={len(whole)}-"})
    assert (answer.status, part) == (416, b"")
    assert client.ask("/audio", corpus=CORPUS, clip="c4-long", headers={"Range": "lines=1-2"})[1] == whole
    answer, nothing = client.ask("/audio", method="HEAD", corpus=CORPUS, clip="c4-long")
    assert answer.getheader("Content-Length") == str(len(whole)) and nothing == b""


@pytest.mark.parametrize(
    "headers, why",
    [
        ({"Host": "evil.example:80"}, "another name"),
        ({"Host": ADDRESS}, "another name"),
        ({"X-Kaiku-Token": None}, "token"),
        ({"X-Kaiku-Token": "guessed"}, "token"),
        ({"X-Kaiku-Token": "tökén".encode("latin-1").decode("latin-1")}, "token"),
        ({"Origin": "http://evil.example"}, "another page"),
    ],
)
@pytest.mark.parametrize(
    "method, path", [("GET", "/"), ("GET", "/api/clips"), ("GET", "/audio"), ("POST", "/api/decide")]
)
def test_nobody_else_gets_in(client, headers, why, method, path):
    body = json.dumps({"corpus": CORPUS, "clip": "c0-fi", "verdict": "reject"}) if method == "POST" else None
    answer, content = client.ask(path, method=method, body=body, headers=headers)
    assert answer.status == 403 and why in json.loads(content)["error"]
    assert not files.path_of(CORPUS, SHARD).exists()


@pytest.mark.parametrize("known, status", [(True, b"404"), (False, b"403")])
def test_an_address_that_is_none_is_refused_as_any_other(client, known, status, capsys):
    port = client.server.server_port
    token = f"X-Kaiku-Token: {client.server.token}\r\n" if known else ""
    with socket.create_connection((ADDRESS, port), timeout=20) as connection:
        connection.sendall(f"GET http://[ HTTP/1.1\r\nHost: {ADDRESS}:{port}\r\n{token}\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read().split()[1] == status
    assert capsys.readouterr().err == ""


def test_a_form_of_another_page_cannot_decide_even_with_the_token_in_the_address(client):
    body = json.dumps({"corpus": CORPUS, "clip": "c0-fi", "verdict": "reject"})
    answer, _ = client.ask(
        "/api/decide", method="POST", body=body, headers={"X-Kaiku-Token": None}, token=client.server.token
    )
    assert answer.status == 403 and not files.path_of(CORPUS, SHARD).exists()


@pytest.mark.parametrize(
    "clip", ["../../../../etc/passwd", "/etc/passwd", "c0-fi/../c1-te", "c0-fi\0", "", "raw/c0-fi.wav"]
)
def test_clips_are_names_not_paths(client, clip):
    for path in ("/audio", "/api/clip"):
        answer, content = client.ask(path, corpus=CORPUS, clip=clip)
        assert answer.status == 409 and "has no clip" in json.loads(content)["error"]
    assert client.ask("/audio", corpus="../voices", clip="c0-fi")[0].status == 409
    assert client.ask("/../kaiku.lock")[0].status == 404


@pytest.mark.parametrize(
    "body, status",
    [
        ("no json", 400),
        ("[]", 400),
        (json.dumps({"corpus": CORPUS, "clip": 3, "verdict": "keep"}), 400),
        (json.dumps({"corpus": CORPUS, "clip": "c0-fi"}), 400),
        (json.dumps({"corpus": CORPUS, "clip": "c0-fi", "verdict": "keep", "more": "x"}), 400),
        (json.dumps({"corpus": CORPUS, "clip": "c0-fi", "verdict": "perhaps"}), 409),
        (json.dumps({"corpus": CORPUS, "clip": "c0-fi", "verdict": "text", "text": " "}), 409),
        (json.dumps({"corpus": CORPUS, "clip": "nobody", "verdict": "keep"}), 409),
        ("x" * (MOST_BODY + 1), 413),
    ],
)
def test_what_means_nothing_is_refused_in_words(client, body, status):
    answer, content = client.ask("/api/decide", method="POST", body=body)
    assert answer.status == status and json.loads(content)["error"]
    assert not files.path_of(CORPUS, SHARD).exists()
    assert client.json("/api/overview")["clips"] == 6, "and the server goes on"


@pytest.mark.parametrize(
    "asked", [{"order": "luck"}, {"order": "peak_db"}, {"show": "x"}, {"offset": "-1"}, {"x": "1"}]
)
def test_questions_that_mean_nothing(client, asked):
    answer, content = client.ask("/api/clips", **asked)
    assert answer.status == 409 and json.loads(content)["error"]


def test_a_damaged_file_of_decisions_is_told_with_its_line(client):
    client.decide("c0-fi", "keep")
    path = files.path_of(CORPUS, SHARD)
    path.write_text(path.read_text() + "<<<<<<< HEAD\n")
    answer, content = client.ask("/api/overview")
    assert answer.status == 409 and "line 3" in json.loads(content)["error"]
    before = path.read_bytes()
    assert client.decide("c1-te", "keep")[0] == 409 and path.read_bytes() == before
    path.write_text(path.read_text().replace("<<<<<<< HEAD\n", ""))
    assert client.decide("c1-te", "keep")[0] == 200


def test_a_clip_whose_audio_is_not_here_can_still_be_decided_about(client):
    Path("raw").rename("elsewhere")
    found = client.json("/api/clip", corpus=CORPUS, clip="c0-fi")
    assert "not on this machine" in found["sound"] and found["peaks"] == []
    assert client.ask("/audio", corpus=CORPUS, clip="c0-fi")[0].status == 409
    assert client.decide("c0-fi", "reject")[0] == 200


def test_without_a_selection_clips_can_be_reviewed_already(world):
    Path(f"data/selection/{DATASET}/{CORPUS}/{SHARD}.parquet").unlink()
    Path(f"data/measures/{CORPUS}/{SHARD}.parquet").write_bytes(b"cut off")
    review = Review(Index(review_world.settings(), DATASET), "tester")
    found = review.overview()
    assert (found["clips"], found["kept"], found["dropped"]) == (6, 0, 0)
    assert review.clip(corpus=CORPUS, clip="c0-fi")["words"].startswith("not selected yet")


def test_what_cannot_be_reviewed_says_why(world):
    with pytest.raises(KaikuError, match=r"datasets\.al: no such dataset.*all"):
        Index(review_world.settings(), "al")
    Path(f"data/segments/{CORPUS}/{SHARD}.parquet").unlink()
    with pytest.raises(KaikuError, match="Run the workflow first"):
        Index(review_world.settings(), DATASET)


def test_a_port_that_is_taken_is_told(client):
    with pytest.raises(KaikuError, match=f"port {client.server.server_port}"):
        Server(client.server.review, client.server.server_port)
