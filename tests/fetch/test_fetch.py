"""Fetching against a server on the loopback that breaks off, lies, and sends what it should not."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pytest
from loopback import NOISE, files_in, get, link, nothing_at, tar_of

from kaiku import fetch
from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch import Source
from kaiku.fetch.unpack import lift_only_folder, unpack
from workflow_scripts import fetch_corpus, fetch_model


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_arrives_whole_and_is_recorded(server, mode):
    data = tar_of({"SPK/a.wav": b"one", "SPK/a.lab": b"yksi"}, mode)
    server.files["/x"] = data
    record = get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"SPK/a.wav": b"one", "SPK/a.lab": b"yksi"}
    assert record == {"url": f"{server.url}/x", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    left = [p.name for p in Path("work/fetch").rglob("*") if p.is_file() and p.parent.name != "pins"]
    assert sorted(left) == ["lock", "owner"]


def test_a_zip_arrives_too(server):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        zipped.writestr("SPK/a.wav", b"one")
    server.files["/x"] = data.getvalue()
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"SPK/a.wav": b"one"}


def test_a_broken_connection_is_resumed_where_it_broke(server):
    server.files["/x"] = tar_of({"a.wav": NOISE})
    server.drop_after = [100_000, 50_000]
    get(Source(url=f"{server.url}/x"))
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_a_file_that_changed_meanwhile_is_begun_again(server):
    server.files["/x"] = tar_of({"a.wav": NOISE})
    server.drop_after = [100_000] + [0] * 10
    with pytest.raises(KaikuError, match=r"100000 of the \d+ bytes it stated"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()
    server.drop_after, server.files["/x"] = [], tar_of({"a.wav": NOISE[::-1]})
    get(Source(url=f"{server.url}/x"))
    assert server.requests[-1][1] == "bytes=100000-"
    assert files_in("data/raw/x") == {"a.wav": NOISE[::-1]}


def test_a_server_without_ranges_is_begun_again(server):
    server.files["/x"], server.ranges, server.drop_after = tar_of({"a.wav": NOISE}), False, [100_000]
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_a_process_that_died_between_download_and_unpacking_downloads_nothing_again(server, monkeypatch):
    server.files["/x"] = tar_of({"a.wav": NOISE})
    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt):
        dying.setattr(fetch.unpack, "unpack", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()
    get(Source(url=f"{server.url}/x"))
    assert len(server.requests) == 1
    assert files_in("data/raw/x") == {"a.wav": NOISE}


def test_less_than_stated_is_refused(server):
    server.files["/x"], server.extra_length = tar_of({"a.wav": b"one"}), 100
    with pytest.raises(KaikuError, match="bytes"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


def test_more_than_stated_is_refused(server):
    server.files["/x"], server.extra_length = tar_of({"a.wav": NOISE}), -1000
    with pytest.raises(CorruptFile, match="cannot be unpacked"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("place", [0.05, 0.5, 0.95])
def test_corrupt_bytes_are_refused(server, mode, place):
    data = bytearray(tar_of({f"{n}.wav": NOISE[n * 10_000 : (n + 1) * 10_000] for n in range(9)}, mode))
    data[int(place * len(data))] ^= 0xFF
    server.files["/x"] = bytes(data)
    with pytest.raises(CorruptFile):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


def test_a_header_damaged_in_the_middle_is_not_taken_for_the_end(server):
    plain = bytearray(tar_of({"a.wav": b"one", "b.wav": b"two"}, "w"))
    plain[1024 + 150] ^= 0xFF  # the checksum field of the second header
    server.files["/x"] = gzip.compress(bytes(plain))
    with pytest.raises(CorruptFile, match="no whole member at byte 1024"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


def test_after_corrupt_bytes_the_next_call_downloads_anew(server):
    good = tar_of({"a.wav": b"one"})
    server.files["/x"] = good[:-4] + b"oops"
    with pytest.raises(CorruptFile):
        get(Source(url=f"{server.url}/x"))
    server.files["/x"] = good
    get(Source(url=f"{server.url}/x"))
    assert files_in("data/raw/x") == {"a.wav": b"one"}


def test_a_wrong_digest_is_refused(server):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    with pytest.raises(CorruptFile, match="has sha256"):
        get(Source(url=f"{server.url}/x", sha256="0" * 64))
    assert nothing_at()


def test_the_first_digest_is_asked_for_ever_after(server):
    server.files["/x"] = tar_of({"a.wav": b"one"})
    source = Source(url=f"{server.url}/x")
    first = get(source)
    server.files["/x"] = tar_of({"a.wav": b"two"})
    with pytest.raises(CorruptFile, match=f"Expected: {first['sha256']}"):
        get(source, Path("data/raw/again"))
    with pytest.raises(CorruptFile, match=f"Expected: {first['sha256']}"):
        shutil.rmtree("work")  # another machine, to which the record came with git
        get(source, Path("data/raw/again"), known=first)
    assert nothing_at(Path("data/raw/again"))
    server.files["/y"] = server.files["/x"]
    assert get(Source(url=f"{server.url}/y"), Path("data/raw/again"), known=first)["sha256"] != first["sha256"]


UNSAFE = {
    "parent": {"../evil": b"x"},
    "deep parent": {"a/../../evil": b"x"},
    "absolute": {"/tmp/evil": b"x"},
    "link outside": {"a": link("a", "../../evil")},
    "absolute link": {"a": link("a", "/etc/passwd")},
    "through a link": {"a": link("a", "b"), "a/evil": b"x"},
    "hard link outside": {"a": link("a", "../evil", tarfile.LNKTYPE)},
    "device": {"a": link("a", "", tarfile.FIFOTYPE)},
    "over a link": {"first": link("a", "b"), "a": b"x"},
    "a link anew": {"first": link("a", "b"), "second": link("a", "c")},
    "through a hard link to a link": {
        "d/s": b"x",
        "a": link("a", "d"),
        "b": link("b", "a", tarfile.LNKTYPE),
        "b/evil": b"x",
    },
    "link that a later one bends": {"first": link("a", "d/e/../../evil"), "second": link("d/e", "..")},
    "circle": {"a": link("a", "b"), "b": link("b", "a")},
}


@pytest.mark.parametrize("members", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_archive_that_would_leave_its_folder_is_refused(server, workspace, members):
    server.files["/x"] = tar_of({"good.wav": b"one", **members})
    before = files_in(workspace)
    with pytest.raises(KaikuError, match="is refused, since"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()
    assert {name for name in files_in(workspace) if not name.startswith("work/")} == set(before)
    assert not list(workspace.parent.glob("evil"))


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_zip_that_would_leave_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile("x.zip", "w") as zipped:
        zipped.writestr(name, b"x")
    Path("out").mkdir()
    with pytest.raises(KaikuError, match="leads out of the folder"):
        unpack(Path("x.zip"), Path("out"))
    assert files_in("out") == {}


def test_a_page_instead_of_an_archive_is_refused(server):
    server.files["/x"] = b"<!doctype html><title>Log in</title>"
    with pytest.raises(CorruptFile, match="is no archive; it begins with b'<!doctype html>"):
        get(Source(url=f"{server.url}/x"))
    assert nothing_at()


def test_a_missing_file_and_a_missing_server_say_what_to_do(server):
    with pytest.raises(KaikuError, match="answered 404 Not Found"):
        get(Source(url=f"{server.url}/nowhere"))
    assert len(server.requests) == 1
    with pytest.raises(KaikuError, match="cannot be reached"):
        get(Source(url="http://127.0.0.1:1/x"))


def test_lifting_the_only_folder(tmp_path):
    (tmp_path / "m/m").mkdir(parents=True)
    (tmp_path / "m/config.json").write_text("{}")
    lift_only_folder(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"m", "config.json"}
    lift_only_folder(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"m", "config.json"}


COMMIT = "a" * 40
MODEL = {"config.json": b"{}", "sub/model.safetensors": NOISE}


@pytest.fixture
def hub(server, monkeypatch):
    """A model hub that knows owner/model: what huggingface_hub asks for, no more."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    lfs = {
        name: {"sha256": hashlib.sha256(d).hexdigest(), "size": len(d), "pointerSize": 1} for name, d in MODEL.items()
    }
    siblings = [{"rfilename": name, "size": len(d), "lfs": lfs[name]} for name, d in MODEL.items()]
    tree = [{"type": "file", "path": name, "size": len(d), "oid": "b" * 40} for name, d in MODEL.items()]
    info = {"id": "owner/model", "sha": COMMIT, "siblings": siblings}
    for revision in ("main", COMMIT):
        server.json[f"/api/models/owner/model/revision/{revision}"] = (200, info)
        server.json[f"/api/models/owner/model/revision/{revision}?blobs=true"] = (200, info)
        server.json[f"/api/models/owner/model/tree/{revision}?recursive=true&expand=false"] = (200, tree)
        for name, data in MODEL.items():
            server.files[f"/owner/model/resolve/{revision}/{name}"] = data
    return server


def tokens_of_the_repository(hub):
    """huggingface_hub asks for other pages as well, once a process and without a token."""
    return {token for path, token in hub.tokens if "owner/model" in path}


def test_a_repository_of_the_hub_arrives_at_its_commit(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    record = get(Source(hub="owner/model", revision="main"))
    assert files_in("data/raw/x") == MODEL
    assert record == {"hub": "owner/model", "revision": "main", "commit": COMMIT, "bytes": len(NOISE) + 2}
    assert tokens_of_the_repository(hub) == {"Bearer hf_test"}


def test_the_hub_s_token_may_stand_in_the_workspace_s_env_file(hub):
    Path(".env").write_text("HF_TOKEN=hf_written\n")
    get(Source(hub="owner/model", revision="main"))
    assert tokens_of_the_repository(hub) == {"Bearer hf_written"}


def test_a_branch_is_pinned_by_its_first_fetch_whichever_files_are_wanted(hub):
    first = get(Source(hub="owner/model", revision="main", files=["*.json"]))
    move(hub)
    again = get(Source(hub="owner/model", revision="main"), Path("data/raw/again"))
    assert first["commit"] == again["commit"] == COMMIT
    assert files_in("data/raw/again") == MODEL


def move(hub):
    """The branch main goes on to a commit without files."""
    moved = {"id": "owner/model", "sha": "c" * 40, "siblings": []}
    hub.json["/api/models/owner/model/revision/main?blobs=true"] = (200, moved)


def test_a_base_stays_at_its_commit_without_work_and_after_snakemake_removed_its_record(hub):
    fetch_base = partial(fetch_model.main, ["--base", "m", "--record", "models/base/m/fetched.json"])
    base = {"licence": "MIT", "source": {"hub": "owner/model", "revision": "main", "files": ["*.json"]}}
    settings_file(bases={"m": base})
    assert fetch_base() == 0
    move(hub)
    shutil.rmtree("work")
    Path("models/base/m/fetched.json").unlink()
    del base["source"]["files"]
    settings_file(bases={"m": base})
    assert fetch_base() == 0
    recorded = [Path(path).read_bytes() for path in ("models/base/m/fetched.json", "data/manifests/m.fetched.json")]
    assert recorded[0] == recorded[1] and json.loads(recorded[0])["commit"] == COMMIT
    assert MODEL.items() <= files_in("models/base/m").items()


def test_a_file_that_is_not_what_the_hub_states_is_refused(hub):
    hub.files[f"/owner/model/resolve/{COMMIT}/sub/model.safetensors"] = NOISE[::-1]
    with pytest.raises(KaikuError):
        get(Source(hub="owner/model", revision="main"))
    assert nothing_at()


def test_a_file_of_the_hub_that_would_leave_its_folder_is_refused(hub, workspace):
    evil = {"id": "owner/model", "sha": COMMIT, "siblings": [{"rfilename": "../../evil", "size": 1}]}
    hub.json["/api/models/owner/model/revision/main?blobs=true"] = (200, evil)
    with pytest.raises(KaikuError, match="leads out of the folder"):
        get(Source(hub="owner/model", revision="main"))
    assert nothing_at()
    assert not list(workspace.rglob("evil"))


@pytest.mark.parametrize(
    ("status", "code", "token", "message"),
    [
        (403, "GatedRepo", None, "is gated, and HF_TOKEN is not set"),
        (403, "GatedRepo", "hf_x", "is gated, and this HF_TOKEN has no access"),
        (401, "RepoNotFound", None, "no such repository, or hides it, since HF_TOKEN is not set"),
        (404, "RevisionNotFound", None, "has no revision 'main'"),
    ],
)
def test_a_hub_that_refuses_says_what_to_do(hub, monkeypatch, status, code, token, message):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.json["/api/models/owner/model/revision/main?blobs=true"] = (status, {"error": "no", "code": code})
    with pytest.raises(KaikuError, match=message):
        get(Source(hub="owner/model", revision="main"))
    assert nothing_at()


def test_no_network_says_so(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(KaikuError, match="the hub cannot be reached"):
        get(Source(hub="owner/model", revision="main"))
    assert nothing_at()


def settings_file(**parts):
    path = Path("work/settings.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"system": "test", **parts}))


NC = "CC-BY-NC-SA-4.0"


def test_the_programs_fetch_scan_and_record(server, capsys):
    server.files["/c"] = tar_of({f"SPK/{n}.wav": b"RIFF%d" % n for n in range(9)})
    server.files["/m"] = tar_of({"inner/config.json": b"{}"})
    settings_file(
        corpora={"x": {"layout": "wav_lab", "speaker": "x", "licence": "own", "source": {"url": f"{server.url}/c"}}},
        bases={"m": {"licence": NC, "accept_licence": NC, "source": {"url": f"{server.url}/m"}}},
    )
    assert fetch_corpus.main(["--corpus", "x"]) == 0
    declared = [f"{n:03d}.{kind}.tsv" for n in range(8) for kind in ("audio", "text")]
    assert sorted(p.name for p in Path("data/manifests/x").glob("*.tsv")) == sorted([*declared, "problems.tsv"])
    record = json.loads(Path("data/manifests/x/fetched.json").read_text())
    assert record["sha256"] == hashlib.sha256(server.files["/c"]).hexdigest()
    assert record["licence"] == "own"

    Path("models/base/m").mkdir(parents=True)  # as Snakemake does before a job
    assert fetch_model.main(["--base", "m", "--record", "models/base/m/fetched.json"]) == 0
    assert {p.name for p in Path("models/base/m").iterdir()} == {"config.json", "fetched.json"}
    assert "Not for commercial use: base m is under CC-BY-NC-SA-4.0." in capsys.readouterr().err
    before = Path("models/base/m/fetched.json").read_bytes()
    assert fetch_model.main(["--base", "m", "--record", "models/base/m/fetched.json"]) == 0
    assert Path("models/base/m/fetched.json").read_bytes() == before


def test_a_program_that_fails_leaves_nothing(server, capsys):
    server.files["/c"] = tar_of({"../evil": b"x"})
    settings_file(corpora={"x": {"layout": "wav_lab", "licence": "own", "source": {"url": f"{server.url}/c"}}})
    assert fetch_corpus.main(["--corpus", "x"]) == 1
    assert "error: " in capsys.readouterr().err
    assert nothing_at()
    assert not Path("data/manifests/x").exists()


def test_a_data_set_of_the_hub_brings_the_files_that_are_wanted_and_unpacks_them(hub):
    audio = tar_of({"dev/1.wav": b"one"})
    files = {"data/te_in/dev.tsv": b"1\t1.wav\n", "data/te_in/audio/dev.tar.gz": audio, "data/fi_fi/dev.tsv": b"other"}
    siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
    tree = [{"type": "file", "path": name, "size": len(d), "oid": "b" * 40} for name, d in files.items()]
    for revision in ("main", COMMIT):
        info = {"id": "owner/set", "sha": COMMIT, "siblings": siblings}
        hub.json[f"/api/datasets/owner/set/revision/{revision}"] = (200, info)
        hub.json[f"/api/datasets/owner/set/revision/{revision}?blobs=true"] = (200, info)
        hub.json[f"/api/datasets/owner/set/tree/{revision}?recursive=true&expand=false"] = (200, tree)
        for name, data in files.items():
            hub.files[f"/datasets/owner/set/resolve/{revision}/{name}"] = data
    wanted = Source(hub="owner/set", repository="dataset", revision="main", files=["data/te_in/*"], unpack=True)
    record = get(wanted)
    assert files_in("data/raw/x") == {"data/te_in/dev.tsv": b"1\t1.wav\n", "data/te_in/audio/dev/1.wav": b"one"}
    assert record["bytes"] == len(audio) + 8
    assert not [path for path, _ in hub.requests if "fi_fi" in path]
    with pytest.raises(KaikuError, match=r"has no file like data/xx/\*"):
        get(wanted.model_copy(update={"files": ["data/xx/*"]}), Path("data/raw/y"))
