import os
from functools import partial

import pytest
from scanned import Corpus

from kaiku.errors import KaikuError
from kaiku.layouts import tsv, wav_lab
from kaiku.store import digest, manifests, scan
from kaiku.store.scan import Scanned
from kaiku.store.shards import MAX_BYTES, shard_of, shards_for


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.put(aino__a=b"A" * 10, aino__b=b"B" * 20, otso__c=b"C" * 30)
    corpus.put(aino__a="yksi", aino__b="kaksi")
    return corpus


def test_a_scan_says_what_is_there(corpus):
    assert corpus.scan(language="fi") == Scanned(("000", "001"), 3, 1, False)
    assert {(r.recording, r.path, r.bytes, r.speaker, r.language) for r in corpus.rows()} == {
        ("aino--a", "aino/a.wav", 10, "aino", "fi"),
        ("aino--b", "aino/b.wav", 20, "aino", "fi"),
        ("otso--c", "otso/c.wav", 30, "otso", "fi"),
    }
    assert {r.digest for r in corpus.rows()} == {
        digest.of_bytes(x * n) for x, n in ((b"A", 10), (b"B", 20), (b"C", 30))
    }
    assert {(r.recording, r.start_s, r.text) for r in corpus.rows("text")} == {
        ("aino--a", None, "yksi"),
        ("aino--b", None, "kaksi"),
    }
    for row in corpus.rows():
        path = manifests.audio_path(corpus.manifests, shard_of(row.recording, 2))
        assert row in manifests.read_audio(path)
    assert [p.where for p in scan.read_problems(corpus.manifests)] == ["otso/c.wav"]
    assert scan.read(corpus.manifests) == Scanned(("000", "001"), 3, 1, False)


def test_another_folder_with_the_same_files_gives_the_same_manifests(corpus, tmp_path):
    corpus.scan()
    other = Corpus(tmp_path / "elsewhere")
    for path in sorted(corpus.root.rglob("*.*"), reverse=True):
        other.write(str(path.relative_to(corpus.root)), path.read_bytes())
    other.scan()
    assert {n: s[0] for n, s in other.state().items()} == {n: s[0] for n, s in corpus.state().items()}


# --- the stat cache


def test_an_unchanged_corpus_is_not_opened(corpus):
    corpus.scan()
    assert corpus.opened == ["aino/a.lab", "aino/a.wav", "aino/b.lab", "aino/b.wav", "otso/c.wav"]
    state, cached = corpus.state(), corpus.cache.stat().st_ino
    assert corpus.scan() == Scanned(("000", "001"), 3, 1, False)
    assert corpus.opened == [] and corpus.changed_since(state) == [] and corpus.cache.stat().st_ino == cached


def test_touched_files_are_read_again_and_change_nothing(corpus):
    corpus.scan()
    state = corpus.state()
    for path in corpus.root.rglob("*.*"):
        os.utime(path, (2e9, 2e9))
    corpus.scan()
    assert len(corpus.opened) == 5 and corpus.changed_since(state) == []
    corpus.scan()
    assert corpus.opened == []


def test_an_edit_is_seen_though_size_and_time_were_restored(corpus):
    corpus.scan()
    state, path = corpus.state(), corpus.root / "aino/a.wav"
    times = path.stat()
    path.write_bytes(b"X" * 10)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (times.st_mtime_ns, times.st_size)
    corpus.scan()
    assert corpus.opened == ["aino/a.wav"]
    assert corpus.changed_since(state) == [f"{shard_of('aino--a', 2)}.audio.tsv"]


def test_a_file_put_in_place_of_another_is_seen(corpus):
    corpus.scan()
    old = (corpus.root / "aino/a.wav").stat()
    corpus.write("aino/.new", b"Y" * 10)
    os.utime(corpus.root / "aino/.new", ns=(old.st_atime_ns, old.st_mtime_ns))
    os.replace(corpus.root / "aino/.new", corpus.root / "aino/a.wav")
    corpus.scan()
    assert corpus.opened == ["aino/a.wav"]


def test_an_edited_text_touches_the_text_manifest_alone(corpus):
    corpus.scan()
    state = corpus.state()
    corpus.put(aino__b="kaksi ja puoli")
    corpus.scan()
    assert corpus.opened == ["aino/b.lab"]
    assert corpus.changed_since(state) == [f"{shard_of('aino--b', 2)}.text.tsv"]


def test_added_renamed_and_removed_recordings(corpus):
    corpus.scan()
    corpus.put(otso__d=b"D")
    assert corpus.scan().recordings == 4 and corpus.opened == ["otso/d.wav"]
    os.rename(corpus.root / "otso/d.wav", corpus.root / "otso/e.wav")
    assert corpus.scan().recordings == 4 and corpus.opened == ["otso/e.wav"]
    (corpus.root / "otso/e.wav").unlink()
    state = corpus.state()
    assert corpus.scan().recordings == 3 and corpus.opened == []
    assert [r.recording for r in corpus.rows()] == sorted(
        [r.recording for r in corpus.rows()], key=lambda r: (shard_of(r, 2), r)
    )
    assert f"{shard_of('otso--e', 2)}.audio.tsv" in corpus.changed_since(state)


def test_a_damaged_cache_costs_time_and_nothing_else(corpus):
    corpus.scan()
    state, whole = corpus.state(), corpus.cache.read_bytes()
    damaged = [b"", whole[:7], whole[:-1], whole + b"x", b"no pickle" * 9, whole[:50] + b"\0" + whole[51:]]
    damaged.append(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    for content in damaged:
        corpus.cache.write_bytes(content)
        corpus.scan()
        assert len(corpus.opened) == 5 and corpus.changed_since(state) == []
        assert corpus.cache.read_bytes() == whole
    corpus.cache.unlink()
    corpus.scan()
    assert len(corpus.opened) == 5 and corpus.changed_since(state) == []


def test_another_parser_reads_its_files_again(corpus, monkeypatch):
    corpus.scan()
    monkeypatch.setattr(scan.code, "code_digest", lambda module: "another")
    corpus.scan()
    assert corpus.opened == ["aino/a.lab", "aino/b.lab"]


# --- shards


def test_the_number_of_shards_is_pinned(corpus):
    corpus.scan()
    corpus.shards = 4
    for number in range(10):
        corpus.put(**{f"more__{number}": b"%d" % number})
    assert corpus.scan().recordings == 13
    assert sorted(p.name for p in corpus.manifests.glob("*.audio.tsv")) == ["000.audio.tsv", "001.audio.tsv"]


def test_a_shard_without_recordings_has_manifests_and_is_not_named(corpus):
    corpus.shards = 64
    scanned = corpus.scan()
    assert len(scanned.shards) == len({shard_of(r.recording, 64) for r in corpus.rows()}) <= 3
    assert len(list(corpus.manifests.glob("*.audio.tsv"))) == len(list(corpus.manifests.glob("*.text.tsv"))) == 64


def test_shards_are_sized_by_the_decoded_audio(corpus, monkeypatch):
    assert [shards_for(n * MAX_BYTES) for n in (0, 1, 2, 3, 5, 10**6)] == [1, 1, 2, 4, 8, 256]
    corpus.shards = None
    monkeypatch.setattr("kaiku.store.shards.MAX_BYTES", 50)
    corpus.write("otso/d.mp3", b"D" * 30)
    corpus.scan()
    assert shards_for(60 + 30) == 2 < shards_for(60 + scan.LOSSY_GROWTH[".mp3"] * 30) == 4
    assert len(list(corpus.manifests.glob("*.audio.tsv"))) == 4


def test_shard_names_stay_for_ever():
    assert [shard_of(name, 256) for name in ("a", "aino--001", "తెలుగు", "")] == ["047", "247", "176", "180"]


def test_a_pinned_file_that_is_broken_is_said(corpus):
    corpus.scan()
    (corpus.manifests / "corpus.json").write_text("<<<<<<< HEAD")
    with pytest.raises(KaikuError, match=r"corpus\.json: .*Expected: JSON"):
        corpus.scan()
    (corpus.manifests / "corpus.json").write_text('{"format": 99, "shards": 2}')
    with pytest.raises(KaikuError, match=r"corpus\.json: format 99\. Expected: 1"):
        corpus.scan()


# --- absent, empty, odd


@pytest.mark.parametrize("how", ["absent", "empty", "hidden files only", "no recordings", "dead links only"])
def test_a_folder_that_went_away_freezes_its_manifests(corpus, tmp_path, capsys, how):
    corpus.scan()
    state = corpus.state()
    corpus.root.rename(tmp_path / "gone")
    if how != "absent":
        corpus.root.mkdir()
    if how == "hidden files only":
        corpus.write(".trash/a.wav", b"x")
    if how == "no recordings":
        corpus.write("notes.txt", "hello")
    if how == "dead links only":
        (corpus.root / "aino").symlink_to(tmp_path / "disk/aino")
    assert corpus.scan() == Scanned(("000", "001"), 3, 1, True)
    assert corpus.changed_since(state) == []
    assert "manifests stay as they are" in capsys.readouterr().err
    if corpus.root.exists():
        corpus.root.rename(tmp_path / "was empty")
    (tmp_path / "gone").rename(corpus.root)
    assert corpus.scan().frozen is False and corpus.changed_since(state) == []


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda root: None, "is not there"),
        (lambda root: root.mkdir(), "holds no files"),
        (lambda root: root.write_text("x"), "is a file"),
        (lambda root: root.symlink_to(root), "is not there"),
        (
            lambda root: (root.mkdir(), (root / "a.wav").symlink_to("gone")),
            "holds no files but a.wav, which is a link that leads nowhere",
        ),
    ],
)
def test_a_corpus_that_never_was_is_an_error(tmp_path, made, said):
    corpus = Corpus(tmp_path)
    made(corpus.root)
    with pytest.raises(KaikuError, match=rf"raw {said}\. .*Mend `path:`"):
        corpus.scan()
    assert not corpus.manifests.exists()


NAMES = [
    "tab\there",
    "line\nend",
    "తెలుగు కథ",
    "quote \" ' quote",
    "percent%41",
    "back\\slash",
    "dot.in.it",
    "a  b",
    "ä",
]


def test_awkward_names_survive_to_the_manifest_and_back(tmp_path):
    corpus = Corpus(tmp_path)
    for name in NAMES:
        corpus.write(f"{name}/{name}.wav", name.encode())
        corpus.write(f"{name}/{name}.lab", f"said {name}")
    assert corpus.scan().recordings == len(NAMES)
    assert {r.path for r in corpus.rows()} == {f"{name}/{name}.wav" for name in NAMES}
    for row in corpus.rows():
        assert digest.of_file(corpus.root / row.path) == row.digest
        assert not set(row.recording) & set("\t\n/\\.")
    assert len({r.recording for r in corpus.rows()}) == len(NAMES)
    assert {r.recording for r in corpus.rows("text")} == {r.recording for r in corpus.rows()}
    corpus.scan()
    assert corpus.opened == []


def test_a_name_that_is_no_text_is_a_problem_and_no_end(corpus):
    os.makedirs(os.fsencode(corpus.root) + b"/\xe4\xe4ni")
    for name in (b"/\xe4\xe4ni/one.wav", b"/p\xe4iv\xe4.wav"):
        with open(os.fsencode(corpus.root) + name, "wb") as f:
            f.write(b"x")
    assert corpus.scan() == Scanned(("000", "001"), 3, 3, False)
    named = {p.where: p.what for p in scan.read_problems(corpus.manifests)}
    assert named["p\\udce4iv\\udce4.wav"] == "has a name that is not UTF-8"
    assert "\\udce4\\udce4ni/one.wav" in named


def test_links_are_followed_and_circles_are_not(corpus, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "far.wav").write_bytes(b"F")
    (corpus.root / "linked").symlink_to(tmp_path / "disk")
    (corpus.root / "aino" / "up").symlink_to(corpus.root)
    (corpus.root / "aino" / "self").symlink_to(corpus.root / "aino")
    (corpus.root / "dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    assert corpus.scan().recordings == 4
    assert "linked/far.wav" in {r.path for r in corpus.rows()}


def test_links_that_lead_nowhere_are_told_until_they_do(corpus, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "far.wav").write_bytes(b"F")
    (corpus.root / "far.wav").symlink_to(disk / "far.wav")
    (corpus.root / "loop").symlink_to(corpus.root / "loop")
    corpus.scan()
    state = corpus.state()
    disk.rename(tmp_path / "elsewhere")
    assert corpus.scan().recordings == 3
    said = {problem.where: problem.what for problem in scan.read_problems(corpus.manifests)}
    assert said["far.wav"] == said["loop"] == "is a link that leads nowhere"
    (tmp_path / "elsewhere").rename(disk)
    assert corpus.scan().recordings == 4
    assert {name: found[0] for name, found in corpus.state().items()} == {name: f[0] for name, f in state.items()}


def test_a_recording_without_permission_is_a_problem_and_read_once_there_is_one(corpus, monkeypatch):
    def refuse(path):
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied", str(path))
        return of_file(path)

    of_file = digest.of_file
    with monkeypatch.context() as patched:
        patched.setattr(scan.digest, "of_file", refuse)
        scanned = corpus.scan()
    unread = [row for row in corpus.rows() if row.digest == scan.UNREADABLE]
    assert [row.path for row in unread] == ["aino/b.wav"]
    assert (scanned.recordings, scanned.problems) == (3, 2)
    said = {problem.where: problem.what for problem in scan.read_problems(corpus.manifests)}
    assert said["aino/b.wav"] == "may not be read (Permission denied)"
    (corpus.root / "aino/b.wav").chmod(0o640)  # changes its ctime, as giving a permission does
    assert corpus.scan().problems == 1
    assert {row.digest == of_file(corpus.root / row.path) for row in corpus.rows()} == {True}


def test_a_disk_that_cannot_be_read_is_said(corpus, monkeypatch):
    def refuse(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(scan.digest, "of_file", refuse)
    with pytest.raises(KaikuError, match=r"\.wav cannot be read \(Input/output error\)\. Mend its permissions"):
        corpus.scan()


def test_problems_come_and_go(corpus):
    assert corpus.scan().problems == 1
    corpus.put(otso__c="kolme\nja toinen rivi")
    assert corpus.scan().problems == 0
    assert scan.read_problems(corpus.manifests) == []
    corpus.write("aino/tab\tand\nline.lab", "no audio")
    assert corpus.scan().problems == 1
    (problem,) = scan.read_problems(corpus.manifests)
    assert (problem.where, problem.what) == ("aino/tab\tand\nline.lab", "has no audio beside it")


def test_a_table_is_read_once_and_its_rows_go_to_their_recordings(tmp_path):
    corpus = Corpus(tmp_path, layout=tsv)
    for name in "abc":
        corpus.write(f"clips/{name}.wav", name.encode())
    corpus.write("all.tsv", "file\ttext\tspeaker\tstyle\nclips/a.wav\tyksi\taino\tsad\nclips/b.wav\tkaksi\totso\t\n")
    assert corpus.scan().recordings == 3
    assert {(r.recording, r.speaker, tuple(r.extras.items())) for r in corpus.rows()} == {
        ("clips--a", "aino", (("style", "sad"),)),
        ("clips--b", "otso", ()),
        ("clips--c", "", ()),
    }
    state = corpus.state()
    corpus.write("all.tsv", "file\ttext\tspeaker\tstyle\nclips/a.wav\tyksi\taino\tsad\nclips/b.wav\tKAKSI\totso\t\n")
    corpus.scan()
    assert corpus.opened == ["all.tsv"]
    assert corpus.changed_since(state) == [f"{shard_of('clips--b', 2)}.text.tsv"]


def test_a_layout_sees_paths_alone(corpus):
    seen = {}

    def discover(files, read):
        seen["files"] = sorted(files)
        yield from wav_lab.discover(files, read, wav_lab.Settings())

    scan.scan(corpus.root, corpus.manifests, corpus.cache, partial(discover))
    assert seen["files"] == ["aino/a.lab", "aino/a.wav", "aino/b.lab", "aino/b.wav", "otso/c.wav"]
