import json
import re
from pathlib import Path

import pytest
import review_world
from review_world import CORPUS, DATASET, decided

from kaiku.errors import CorruptFile, KaikuError
from kaiku.review import export
from kaiku.review.index import Index
from kaiku.review.orders import Question
from kaiku.store import manifests
from kaiku.store.shards import shard_of
from kaiku.workspace.start import scan_corpus
from workflow_scripts import review_dataset

HEAD = "\t".join(export.COLUMNS)


def embedded(page: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)[1])


def line(recording="c0-fi", digest=None, corpus=CORPUS, verdict="keep", text=""):
    known = manifests.read_digests(Path(f"data/manifests/{CORPUS}/000.audio.tsv"))
    place = [corpus, digest or known[recording], recording, "0", "600"]
    return "\t".join([*place, verdict, text, "", "away", "2026-11-27T01:00:00.000Z"])


def test_a_page_holds_the_clips_asked_for_with_their_sound(world):
    index = Index(review_world.settings(), DATASET)
    index.decide(CORPUS, "c3-loud", "reject", by="home")
    path, clips = export.export(index, Question("corpus", show="dropped"), 5, world / "out", "away")
    data = embedded(path)
    assert clips == 2 and [clip["clip"] for clip in data["clips"]] == ["c3-loud", "c5-none"]
    assert all(clip["audio"].startswith("data:audio/ogg;base64,") for clip in data["clips"])
    assert data["clips"][0]["history"][0]["reviewer"] == "home" and data["overview"]["reviewer"] == "away"
    assert data["columns"] == list(export.COLUMNS)


def test_what_has_no_sound_here_is_left_out(world):
    index = Index(review_world.settings(), DATASET)
    (world / "raw/c0-fi.wav").unlink()
    _, clips = export.export(index, Question("corpus"), 6, world / "out", "away")
    assert clips == 5
    (world / "raw").rename(world / "elsewhere")
    with pytest.raises(KaikuError, match="nothing to export"):
        export.export(Index(review_world.settings(), DATASET), Question("corpus"), 6, world / "out", "away")


def test_decisions_come_back_to_where_the_recording_is_now(world, tmp_path):
    file = tmp_path / "decisions.tsv"
    file.write_text(f"{HEAD}\n{line('c0-fi')}\n{line('c1-te', verdict='text', text='uusi')}\n")
    for suffix in ("wav", "lab"):
        (world / f"raw/c0-fi.{suffix}").rename(world / f"raw/renamed.{suffix}")
    scan_corpus(review_world.settings(), CORPUS, shards=1)
    assert export.merge([CORPUS], file) == export.Imported(2, 0, [])
    assert sorted(decided()) == [("c1-te", "text", "uusi"), ("renamed", "keep", "")]
    assert shard_of("renamed", 1) == "000"


def test_a_recording_that_is_not_here_is_told(world, tmp_path):
    file = tmp_path / "decisions.tsv"
    file.write_text(f"{HEAD}\n{line(digest='of another corpus')}\n")
    assert export.merge([CORPUS], file) == export.Imported(1, 0, ["c0-fi"])


@pytest.mark.parametrize(
    "wrong, told",
    [
        (lambda: line(corpus="nobody"), "line 3: corpus 'nobody'"),
        (lambda: line(verdict="perhaps"), "line 3"),
        (lambda: line(verdict="text"), "line 3"),
        (lambda: "cut off", "line 3: 1 fields"),
    ],
)
def test_a_file_with_a_wrong_line_changes_nothing(world, tmp_path, wrong, told):
    file = tmp_path / "decisions.tsv"
    file.write_text(f"{HEAD}\n{line()}\n{wrong()}\n")
    with pytest.raises((CorruptFile, KaikuError), match=re.escape(told)):
        export.merge([CORPUS], file)
    assert decided() == []


def test_the_program_exports_imports_and_says_what_is_wrong(world, tmp_path, capsys):
    review_world.settings()
    ask = ["--dataset", DATASET, "--reviewer", "away"]
    assert review_dataset.main([*ask, "--export", str(tmp_path / "out"), "--clips", "3", "--order", "corpus"]) == 0
    assert "review.html: 3 clips" in capsys.readouterr().out
    file = tmp_path / "decisions.tsv"
    file.write_text(f"{HEAD}\n{line()}\n{line(digest='x')}\n")
    assert review_dataset.main([*ask, "--import", str(file)]) == 0
    assert "2 decisions merged, 0 were known already" in (said := capsys.readouterr().out) and "c0-fi" in said
    for wrong, why in (
        (["--dataset", "other"], "no such dataset"),
        ([*ask, "--import", "nowhere.tsv"], "is not there"),
        ([*ask, "--export", str(tmp_path), "--order", "luck"], "order=luck"),
    ):
        assert review_dataset.main(wrong) == 1
        assert why in capsys.readouterr().err
