"""Clips and recordings by their ids."""

from pathlib import Path

import pytest
from small_workspace import CONFIG, configure

from kaiku.errors import KaikuError
from kaiku.planning.finding import Place, clips_of, find
from kaiku.store import rows
from kaiku.store.artefacts import SEGMENTS
from kaiku.store.manifests import AudioRow, write_audio


def cut(corpus, recording, *clips):
    """A recording of a one-shard corpus with its clips."""
    own = {"item": recording, "key": "k", "status": "ok", "error": "", "recording": recording}
    lines = [{**own, "clip": clip} for clip in clips or (None,)]
    rows.write(Path(f"data/segments/{corpus}/000.parquet"), rows.table(lines, SEGMENTS))
    folder = Path(f"data/manifests/{corpus}")
    folder.mkdir(parents=True, exist_ok=True)
    write_audio(folder / "000.audio.tsv", [AudioRow(recording, f"{recording}.wav", "d", 1, "", "fi", {})])
    (folder / "corpus.json").write_text('{"format": 1, "shards": 1}')


@pytest.fixture
def settings(workspace):
    own = CONFIG["corpora"]["voices"]
    cut("long", "talk", "talk@00000100-00001000", "talk@00001200-00002000")
    cut("mute", "hush")
    return configure(corpora={"voices": own, "long": own, "mute": own})


def test_a_clip_of_a_recording_and_a_recording_that_is_one(settings):
    assert find(settings, "talk@00001200-00002000") == Place("long", "000", "talk", "talk@00001200-00002000")
    assert find(settings, "one") == Place("voices", "000", "one", "one")


def test_a_recording_stands_for_all_its_clips(settings):
    place = find(settings, "talk")
    assert place == Place("long", "000", "talk")
    assert clips_of(place) == ["talk@00000100-00001000", "talk@00001200-00002000"]
    assert find(settings, "hush") == Place("mute", "000", "hush") and clips_of(find(settings, "hush")) == []


@pytest.mark.parametrize(
    ("wanted", "near"),
    [("talk@0000", "talk@00000100-00001000"), ("TALK@", "talk@00001200-00002000"), ("thre", "three")],
)
def test_a_part_of_an_id_and_a_slip_are_answered_with_what_may_be_meant(settings, wanted, near):
    with pytest.raises(KaikuError, match="no clip or recording is called") as error:
        find(settings, wanted)
    assert near in str(error.value)
    assert "hush" not in str(error.value)


def test_segments_that_cannot_be_read_are_left_out_aloud(settings, capsys):
    Path("data/segments/mute/000.parquet").write_bytes(b"no table")
    assert find(settings, "one").corpus == "voices" and find(settings, "hush").recording == "hush"
    assert "left out: data/segments/mute/000.parquet: not a readable table" in capsys.readouterr().err


def test_nothing_near(settings):
    with pytest.raises(KaikuError, match="as data/segments/"):
        find(settings, "%%%%%%%%%%%%%%%%")


def test_one_id_in_two_corpora(settings):
    cut("mute", "talk", "talk@00000100-00001000")
    with pytest.raises(KaikuError, match=r"stands in long, mute\. Say which with CORPUS="):
        find(settings, "talk@00000100-00001000")
    assert find(settings, "talk@00000100-00001000", "mute").corpus == "mute"
    with pytest.raises(KaikuError, match=r"CORPUS=nowhere: no such corpus\. Expected: one of voices, long, mute"):
        find(settings, "talk", "nowhere")
