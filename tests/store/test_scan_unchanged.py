"""A corpus of which nothing changed: no recording is opened, no layout asked, no manifest read."""

import os
import sys

import pytest

from kaiku.layouts import wav_lab
from kaiku.store import manifests, scan
from kaiku.store.scan import Scanned

RECORDINGS = 200
_watching = None


def _note_openings(event, arguments):
    if _watching is not None and event == "open":
        _watching.note(str(arguments[0]))


sys.addaudithook(_note_openings)


class Watched:
    """A corpus of RECORDINGS clips with texts. `asked`: calls of its layout; `opened`: files under the folder."""

    def __init__(self, root):
        self.root, self.raw, self.manifests = root, root / "raw", root / "manifests"
        self.cache, self.asked, self.opened = root / "work" / "stat.pickle", 0, []
        self.raw.mkdir()
        for number in range(RECORDINGS):
            (self.raw / f"clip-{number}.wav").write_bytes(b"%d" % number)
            (self.raw / f"clip-{number}.lab").write_text(f"lause {number}")

    def scan(self, how="as ever", shards=4):
        global _watching
        self.asked, self.opened, _watching = 0, [], self
        try:
            return scan.scan(self.raw, self.manifests, self.cache, self._discover, shards=shards, how=how)
        finally:
            _watching = None

    def rows(self):
        paths = [manifests.audio_path(self.manifests, f"{n:03d}") for n in range(4)]
        return sum(len(manifests.read_audio(path)) for path in paths)

    def _discover(self, files, read):
        self.asked += 1
        return wav_lab.discover(files, read, wav_lab.Settings())

    def note(self, path):
        if path.startswith((str(self.raw), str(self.manifests))):
            self.opened.append(os.path.relpath(path, self.root))


@pytest.fixture
def corpus(tmp_path):
    corpus = Watched(tmp_path)
    corpus.scan()
    assert corpus.asked == 1 and len([name for name in corpus.opened if name.startswith("raw/")]) == 2 * RECORDINGS
    return corpus


def opened_recordings(corpus):
    return sorted(name for name in corpus.opened if name.startswith("raw/"))


def test_an_unchanged_corpus_costs_its_walk_alone(corpus):
    first = scan.read(corpus.manifests)
    assert corpus.scan() == first == Scanned(("000", "001", "002", "003"), RECORDINGS, 1, False)
    assert corpus.asked == 0 and corpus.opened == []


def edit_behind_the_clock(path):
    stat = path.stat()
    path.write_bytes(b"X")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGES = {  # what is done, and how many recordings there are then
    "edited": (lambda raw: (raw / "clip-7.wav").write_bytes(b"other"), RECORDINGS),
    "edited under its old time": (lambda raw: edit_behind_the_clock(raw / "clip-7.wav"), RECORDINGS),
    "added": (lambda raw: (raw / "new.wav").write_bytes(b"new"), RECORDINGS + 1),
    "removed": (lambda raw: (raw / "clip-7.wav").unlink(), RECORDINGS - 1),
    "renamed": (lambda raw: (raw / "clip-7.wav").rename(raw / "clip-700.wav"), RECORDINGS),
}


@pytest.mark.parametrize("change,rows", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_and_opens_no_other_recording(corpus, change, rows):
    change(corpus.raw)
    corpus.scan()
    assert corpus.asked == 1 and corpus.rows() == rows and len(opened_recordings(corpus)) <= 1
    corpus.scan()
    assert corpus.asked == 0


def test_another_way_of_reading_asks_the_layout_again_and_opens_nothing(corpus):
    corpus.scan(how="another layout")
    assert corpus.asked == 1 and opened_recordings(corpus) == []
    corpus.scan(how="another layout")
    assert corpus.asked == 0


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("edited by hand\n")])
def test_a_manifest_that_is_not_as_it_was_written_is_written_again(corpus, spoil):
    path = manifests.audio_path(corpus.manifests, "002")
    wanted = path.read_bytes()
    spoil(path)
    corpus.scan()
    assert path.read_bytes() == wanted and opened_recordings(corpus) == []


def test_a_folder_that_went_away_and_came_back(corpus):
    corpus.raw.rename(corpus.root / "aside")
    assert corpus.scan().frozen
    (corpus.root / "aside").rename(corpus.raw)
    assert corpus.scan() == Scanned(("000", "001", "002", "003"), RECORDINGS, 1, False)


def test_a_folder_whose_recordings_went_away_says_so_each_time(corpus, capsys):
    for path in corpus.raw.glob("*.wav"):
        path.unlink()
    for _ in range(2):
        assert corpus.scan().frozen and "holds no recordings now" in capsys.readouterr().err


def test_without_a_word_on_how_it_is_read_nothing_is_taken_for_unchanged(corpus):
    corpus.scan(how="")
    assert corpus.asked == 1


def test_a_damaged_memory_is_none(corpus):
    corpus.cache.with_suffix(".seen").write_bytes(b"\0" * 100)
    assert corpus.scan().recordings == RECORDINGS and corpus.asked == 1
