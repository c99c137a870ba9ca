"""Formats on disk, against files that were written once (`golden/`): what is written today has the same bytes, and what
was written then is read. Where a format changes on purpose, raise its FORMAT and write the files anew:

    python tests/store/test_formats.py
"""

import shutil
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kaiku.adoption import Form
from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import artefacts, code, items, journal, keys, manifests, protos, rows, scan, statcache, whole
from kaiku.store.containers import Npy, Tar
from kaiku.store.items import Counts, Item, Outcome
from kaiku.store.journal import Journal
from kaiku.store.keys import StageKey
from kaiku.store.manifests import AudioRow, TextRow, TokensRow
from kaiku.store.protos import Group, Sentence

GOLDEN = Path(__file__).parent / "golden"
ADVICE = "raise its FORMAT (and write the golden files anew), or undo what changed it"

FLAC = [("a", b"fLaC one"), ("ääni/b", None), ("c" * 130, b"fLaC three" * 60)]
CODES = np.arange(12, dtype="<u2").reshape(6, 2)
CLIPS = [("a", CODES[:2].tobytes()), ("b", None), ("c", CODES[2:].tobytes())]
AUDIO = [
    AudioRow("yö--1", "yö/1.wav", "00ff", 1234, "otso", "fi", {"take": "2", "note": "tab\tline\n"}),
    AudioRow("b", "b\\c.flac", "11ee", 0, "", "", {}),
]
TEXT = [TextRow("yö--1", None, None, "Hyvää päivää."), TextRow("b", 0.1, 2.25, "two\tparts\\n")]
TOKENS = [
    TokensRow("yö--1", "yö/1.npy", "22dd", "00ff", False, Form("int64", (2, 3), 0, (7, 5))),
    TokensRow("b", "b\\c.npy", "33cc", "44bb", True, Form(error="is no array\t")),
]
SENTENCES = [Sentence("otso", "Hei <b>maailma</b>.", CODES[:2]), Sentence("otso", "Yö.", CODES[2:] + np.uint16(300))]
ENTRIES = {"kaiku.b": ("v12", "ff" * 16), "kaiku.a": ("v1", "00" * 16)}
RECORDS = [
    ("k1", "ok", "", [{"clip": "a", "x": 0.5}, {"clip": "b", "x": None}], [b"one", None]),
    ("k2", "empty", "", [{}], [None]),
]


def encode(name):
    payload = dict(CLIPS)[name]
    return Outcome([{}], [payload], status="ok" if payload else "empty")


def shard(folder):
    """A shard of tokens with its carry folder."""
    artefact = artefacts.tokens(folder / "000.parquet", folder / "000.npy", 2, folder / "carry")
    clips = [Item(name, f"key of {name}", name, lambda _, name=name: {"clip": name}) for name, _ in CLIPS]
    counts = items.run(artefact, clips, items.each(encode), label="encode", max_failed=0)
    for disposable in ("owner", "lock"):
        (folder / "carry" / disposable).unlink(missing_ok=True)
    return counts


def result(folder):
    """A whole-file stage with its carry folder."""

    def build(outputs):
        outputs["page"].write_text("page")
        (outputs["model"] / "part").mkdir(parents=True)
        (outputs["model"] / "part" / "weights").write_bytes(b"weights")

    made = whole.run(folder / "carry", "0123", {"page": folder / "page.html", "model": folder / "model"}, build)
    for disposable in ("owner", "lock"):
        (folder / "carry" / disposable).unlink(missing_ok=True)
    return made


def write_journal(path):
    book = Journal(path)
    for record in RECORDS:
        book.append(*record)
    book.close()


def write_rows(path):
    schema = rows.schema(("clip", pa.string()), ("value", pa.float64()), ("count", pa.int64()))
    lines = [{"item": "i", "key": "k", "status": "ok", "error": "", "clip": "yö", "value": 0.1, "count": 2}]
    rows.write(path, rows.table([*lines, {"item": "j", "status": "failed", "error": "why"}], schema))


def write_corpus(folder):
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "a.wav").write_bytes(b"RIFF")
    found = [manifests_recording("a", "a.wav")]
    scan.scan(folder / "raw", folder / "manifests", folder / "cache", lambda files, read: found, shards=4)
    pinned = (folder / "manifests" / "corpus.json").read_bytes()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "corpus.json").write_bytes(pinned)


def manifests_recording(id, path):
    from kaiku.layouts import Recording

    return Recording(id=id, path=path, speaker="s", language="fi")


WRITERS = {
    "journal": write_journal,
    "rows.parquet": write_rows,
    "clips.tar": lambda path: Tar(".flac").write(path, FLAC),
    "codes.npy": lambda path: Npy(2).write(path, CLIPS),
    "000.audio.tsv": lambda path: manifests.write_audio(path, AUDIO),
    "000.text.tsv": lambda path: manifests.write_text(path, TEXT),
    "000.tokens.tsv": lambda path: manifests.write_tokens(path, TOKENS),
    "corpus": write_corpus,
    "pack.protos": lambda path: protos.write_protos(path, [Group("corpus", "otso", SENTENCES)]),
    "code.lock": lambda path: code.write_lock(ENTRIES, path),
    "shard": shard,
    "result": result,
}


def tree(path):
    """Bytes by relative name. Parquet names the library that wrote it; all else in it must be equal."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {f.relative_to(path.parent).as_posix(): _masked(f.read_bytes()) for f in files}


def _masked(data):
    return data.replace(pa.__version__.encode(), b"x" * len(pa.__version__)) if data[:4] == b"PAR1" else data


@pytest.fixture
def golden(tmp_path):
    """A copy of the golden files, to be read and written to."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_today_has_the_bytes_of_then(name, tmp_path):
    WRITERS[name](tmp_path / name)
    now, then = tree(tmp_path / name), tree(GOLDEN / name)
    assert now.keys() == then.keys(), ADVICE
    assert [part for part in then if now[part] != then[part]] == [], ADVICE


def test_every_golden_file_is_checked():
    assert {path.name for path in GOLDEN.iterdir()} == {*WRITERS}


# --- what was written then is read


def test_the_journal_is_read(golden):
    book = Journal(golden / "journal")
    found = list(book.read())
    assert [(r.key, r.status, r.error, r.rows, [book.payload(p) for p in r.places]) for r in found] == RECORDS
    assert book.keys() == ["k1", "k2"]


def test_rows_are_read(golden):
    found = rows.read(golden / "rows.parquet").to_pylist()
    assert [row["value"] for row in found] == [0.1, None] and found[0]["clip"] == "yö" and found[1]["error"] == "why"


def test_containers_are_read(golden):
    read = Npy(2).open(golden / "codes.npy")
    assert [bytes(read(0, 2)), bytes(read(2, 4))] == [CLIPS[0][1], CLIPS[2][1]]
    places = Tar(".flac").write(golden / "again.tar", FLAC)
    read = Tar(".flac").open(golden / "clips.tar")
    assert [bytes(read(*p)) for p in places if p[1]] == [payload for _, payload in FLAC if payload]


def test_manifests_are_read(golden):
    assert manifests.read_audio(golden / "000.audio.tsv") == AUDIO
    assert manifests.read_text(golden / "000.text.tsv") == TEXT
    assert manifests.read_tokens(golden / "000.tokens.tsv") == TOKENS
    assert scan.read(golden / "corpus").shards == ()


def test_packs_are_read(golden):
    found = list(protos.read_protos(golden / "pack.protos"))
    assert [(s.text, s.codes.tolist()) for s in found] == [
        ("Hei maailma .", CODES[:2].tolist()),
        ("Yö.", (CODES[2:] + 300).tolist()),
    ]


def test_the_lock_is_read(golden):
    assert code.read_lock(golden / "code.lock") == ENTRIES


def test_carried_shards_and_results_are_reused(golden):
    assert shard(golden / "shard") == Counts(reused=3)
    assert result(golden / "result") == Counts(reused=1)


def test_keys_are_what_they_were():
    """Another key for the same parts means everything computed again by everyone: that is what its FORMAT is for."""
    key = StageKey("encode", {"width": 2, "name": "yö", "rate": 0.1}, (), {"codec": "d1"})
    assert key.item("content", "") == "13f6797349e05788118f67daeba59f8f", ADVICE


# --- another format: computed again where a job can, else an error that says what to do


def test_a_journal_of_another_format_holds_nothing(golden, monkeypatch):
    path = golden / "journal"
    path.write_bytes(struct.pack("<I", journal.FORMAT + 1) + path.read_bytes()[4:])
    assert list(Journal(path).read()) == [] and Journal(path).keys() == []
    book = Journal(path)
    book.append(*RECORDS[1])
    book.close()
    assert [record.key for record in Journal(path).read()] == ["k2"]
    monkeypatch.setattr(journal, "FORMAT", journal.FORMAT + 1)
    assert list(Journal(path).read()) == []


def test_rows_of_another_format_are_refused_and_made_again(golden, monkeypatch):
    monkeypatch.setattr(rows, "FORMAT", b"2")
    with pytest.raises(CorruptFile, match=r"rows\.parquet: format 1\. Expected: format 2\. Delete the file"):
        rows.read(golden / "rows.parquet")
    assert shard(golden / "shard") == Counts(computed=3)
    monkeypatch.undo()
    with pytest.raises(CorruptFile, match=r"000\.parquet: format 2\. Expected: format 1"):
        rows.read(golden / "shard" / "000.parquet")


def test_a_corpus_of_another_format_is_refused(golden, monkeypatch):
    monkeypatch.setattr(scan, "FORMAT", 2)
    with pytest.raises(KaikuError, match=r"corpus\.json: format 1\. Expected: 2\. Use the Kaiku that wrote it"):
        scan.read(golden / "corpus")


def test_a_lock_of_another_format_is_refused(golden):
    path = golden / "code.lock"
    path.write_text(path.read_text().replace("format 1", "format 2"))
    with pytest.raises(KaikuError, match=r"its first line is '# code\.lock, format 2.* Take the file from git"):
        code.read_lock(path)


@pytest.mark.parametrize("name", ["000.audio.tsv", "000.text.tsv", "000.tokens.tsv"])
def test_manifests_with_other_columns_are_refused(golden, name):
    path = golden / name
    path.write_text(path.read_text().replace("recording", "id", 1))
    with pytest.raises(CorruptFile, match=r"header 'id.*Delete the file; the next run scans the corpus again"):
        (manifests.read_audio if "audio" in name else manifests.read_text)(path)


def test_a_pack_with_other_fields_is_refused(golden):
    path = golden / "pack.protos"
    path.write_bytes(path.read_bytes().replace(b"\x12\x04otso", b"\x7a\x04otso", 1))
    with pytest.raises(CorruptFile, match=r"unknown field 0x7a .* at byte"):
        list(protos.read_protos(path))


def test_a_result_that_is_laid_out_otherwise_is_built_again(golden):
    carry = golden / "result" / "carry" / "0123"
    (carry / "files").rename(carry / "content")
    assert result(golden / "result") == Counts(computed=1)


def test_a_stat_cache_of_another_format_is_as_good_as_none(tmp_path, monkeypatch):
    """Its bytes are Python's own; nothing but time is lost with it."""
    (tmp_path / "file").write_text("content")
    cache, reads = tmp_path / "cache", []
    monkeypatch.setattr(statcache.digest, "of_file", lambda path: reads.append(path) or "d")

    def look():
        digests = statcache.Digests(tmp_path, cache)
        digests.look(["file"])
        digests.save()

    look()
    look()
    assert len(reads) == 1
    monkeypatch.setattr(statcache, "FORMAT", statcache.FORMAT + 1)
    look()
    assert len(reads) == 2


def test_another_format_of_keys_is_another_key(monkeypatch):
    before = StageKey("s", {}, ()).item("x")
    monkeypatch.setattr(keys, "FORMAT", keys.FORMAT + 1)
    assert StageKey("s", {}, ()).item("x") != before


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        for name, write in WRITERS.items():
            write(Path(work) / name)
        shutil.rmtree(GOLDEN, ignore_errors=True)
        shutil.copytree(work, GOLDEN)
    sys.exit(0)
