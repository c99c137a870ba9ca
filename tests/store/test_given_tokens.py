"""Manifests of tokens beside recordings: what they say, and how they know that a recording was edited since."""

import numpy as np
import pytest

from kaiku.errors import KaikuError
from kaiku.layouts import wav_lab
from kaiku.store import given_tokens, manifests, scan
from kaiku.store.shards import shard_of

SHARDS = 3


class Corpus:
    def __init__(self, root):
        self.root, self.raw, self.folder = root, root / "raw", root / "manifests"
        self.raw.mkdir()

    def add(self, name, sound, tokens=None):
        (self.raw / f"{name}.wav").write_bytes(sound.encode())
        (self.raw / f"{name}.lab").write_text(name)
        if tokens is not None:
            np.save(self.raw / f"{name}.npy", np.full((2, 3), tokens))

    def scan(self, tokens=".npy"):
        def discover(files, read):
            return wav_lab.discover(files, read, wav_lab.Settings(speaker="s"))

        scan.scan(self.raw, self.folder, self.root / "cache.pickle", discover, shards=SHARDS, how="test", tokens=tokens)
        return {row.recording: row for row in given_tokens.read_all(self.folder)}

    def edited(self):
        return {name for name, row in self.scan().items() if row.edited}


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path)
    for number, name in enumerate("abcdef"):
        made.add(name, f"sound of {name}", number)
    made.add("without", "sound")
    return made


def test_each_row_stands_in_its_recording_s_shard_and_says_what_the_file_holds(corpus):
    found = corpus.scan()
    assert sorted(found) == list("abcdef") and not any(row.edited for row in found.values())
    assert found["c"].path == "c.npy" and found["c"].form.shape == (2, 3) and found["c"].form.highest == (2, 2)
    for number in range(SHARDS):
        path = manifests.tokens_path(corpus.folder, f"{number:03d}")
        rows = manifests.read_tokens(path)
        assert [row.recording for row in rows] == sorted(
            name for name in found if shard_of(name, SHARDS) == path.name[:3]
        )


def test_an_edited_file_touches_one_manifest_of_tokens_and_no_other(corpus):
    corpus.scan()
    before = {path.name: path.stat().st_ino for path in corpus.folder.iterdir()}
    corpus.add("a", "sound of a", tokens=77)
    assert corpus.scan()["a"].form.highest == (77, 77)
    changed = {path.name for path in corpus.folder.iterdir() if before[path.name] != path.stat().st_ino}
    assert changed == {f"{shard_of('a', SHARDS)}.tokens.tsv"}


def test_an_edited_recording_is_known_by_the_tokens_that_stayed(corpus):
    corpus.scan()
    corpus.add("a", "another sound")
    assert corpus.edited() == {"a"}
    assert corpus.edited() == {"a"}, "and stays so"
    corpus.add("a", "a third sound")
    assert corpus.edited() == {"a"}
    corpus.add("a", "sound of a")
    assert corpus.edited() == set(), "edited back"
    corpus.add("a", "another sound")
    assert corpus.edited() == {"a"}
    corpus.add("a", "another sound", tokens=99)
    assert corpus.edited() == set(), "its tokens were made anew"


def test_a_renamed_recording_keeps_its_tokens_and_its_memory(corpus):
    corpus.scan()
    for suffix in (".wav", ".lab", ".npy"):
        (corpus.raw / f"a{suffix}").rename(corpus.raw / f"renamed{suffix}")
    found = corpus.scan()
    assert "a" not in found and not found["renamed"].edited
    corpus.add("renamed", "another sound")
    assert corpus.edited() == {"renamed"}


def test_tokens_of_one_recording_are_not_those_of_another(corpus):
    corpus.scan()
    corpus.add("new", "a new sound", tokens=0)
    assert corpus.edited() == {"new"}, "the same file lay beside a"


def test_two_recordings_of_one_sound_share_their_tokens(corpus):
    corpus.add("twin", "sound of a", tokens=0)
    corpus.scan()
    assert corpus.edited() == set()


def test_a_corpus_that_declares_none_has_no_such_manifest(corpus):
    assert corpus.scan(tokens="") == {}
    assert not list(corpus.folder.glob("*.tokens.tsv"))
    assert len(corpus.scan()) == 6


def test_a_folder_that_went_away_keeps_its_manifests(corpus):
    before = corpus.scan()
    corpus.raw.rename(corpus.root / "elsewhere")
    assert corpus.scan() == before


def test_tokens_that_nobody_looked_at_are_not_taken_for_none(corpus):
    corpus.scan(tokens="")
    corpus.raw.rename(corpus.root / "elsewhere")
    with pytest.raises(KaikuError, match=r"its \.npy files are to be taken for tokens, and nobody has looked"):
        corpus.scan()


def test_a_file_that_is_too_large_or_cannot_be_read_stops_nothing(corpus, monkeypatch):
    monkeypatch.setattr(given_tokens, "MOST_BYTES", 1000)
    (corpus.raw / "a.npy").write_bytes(bytes(1001))
    read = type(corpus.raw).read_bytes

    def refuse(path):
        if path.name == "b.npy":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(type(corpus.raw), "read_bytes", refuse)
    found = corpus.scan()
    assert len(found) == 6
    assert "has 1,001 bytes" in found["a"].form.error and found["a"].digest == ""
    assert "b.npy cannot be read (Permission denied)" in found["b"].form.error
    assert not any(row.edited for row in found.values())


def test_another_number_of_shards_takes_them_along(corpus, tmp_path):
    before = corpus.scan()
    scan.spread(corpus.folder, 7, tmp_path / "spread")
    found = given_tokens.read_all(tmp_path / "spread")
    assert {row.recording: row for row in found} == before
    assert len(list((tmp_path / "spread").glob("*.tokens.tsv"))) == 7


def test_rows_come_back_as_they_were_written(tmp_path):
    from kaiku.adoption import Form

    rows = [
        manifests.TokensRow("a", "a\tb.npy", "d" * 32, "e" * 32, False, Form("int64", (2, 3), 0, (5, 6))),
        manifests.TokensRow("తెలుగు", "x\n.npy", "f" * 32, "0" * 32, True, Form(error='no "array"\t')),
    ]
    path = tmp_path / "000.tokens.tsv"
    assert manifests.write_tokens(path, rows) and not manifests.write_tokens(path, rows)
    assert manifests.read_tokens(path) == rows
