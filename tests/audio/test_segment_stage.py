"""The whole way from a raw folder to clips read back, with names and files as they come."""

import errno
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, recording

from kaiku import settings as configuration
from kaiku.audio.decode import read_mono
from kaiku.store import manifests, rows
from kaiku.store.artefacts import SEGMENTS
from kaiku.store.clips import ClipStore
from kaiku.store.spool import Spool
from kaiku.workspace import start
from workflow_scripts import segment_recordings

NAMES = [
    "plain",
    "with a  space",
    "quote \" ' `",
    "line\nbreak",
    "tab\there",
    "తెలుగు కథ",
    "päivä",
    "dots..",
    "a..b",
    "$HOME; rm -rf *",
    "percent%2Fslash",
    "back\\slash",
    "-n",
    "#1",
    "long " + "x" * 180,
]
PARQUET, TAR = Path("data/segments/voices/000.parquet"), Path("data/segments/voices/000.tar")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace to work in; its corpus `voices` stands in raw/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    return tmp_path


def configure(layout="recordings", max_failed=0.0, **segment):
    corpus = {"path": "raw", "layout": layout, "language": "fi", "speaker": "aino", "licence": "CC0-1.0"}
    corpus |= {"max_failed": max_failed, "shards": 1, "segment": segment}
    datasets = {"all": {"corpora": ["voices"], "split": {"by": "recording", "val": 0}}}
    settings = configuration.load({"system": "small", "corpora": {"voices": corpus}, "datasets": datasets})
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps(settings.model_dump(mode="json")))
    return settings


def segment(settings):
    """Scan the corpus and segment its one shard; the program's exit status."""
    start.scan_corpus(settings, "voices")
    PARQUET.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--corpus", "voices", "--manifest", "data/manifests/voices/000.audio.tsv", "--rows", str(PARQUET)]
    return segment_recordings.main([*arguments, "--audio", str(TAR), "--carry", "work/carry/segment/voices/000"])


def table():
    return rows.read(PARQUET, SEGMENTS).to_pylist()


def speak(name, parts=(-0.4, 1.5, -0.6, 1.5, -0.4), seed=0, add=None):
    path = Path("raw") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = recording(*parts, seed=seed)
    soundfile.write(os.fspath(path), sound if add is None else sound + add(len(sound)), RATE)
    return path


def mains(n):
    return (0.006 * np.sin(2 * np.pi * 50 * np.arange(n) / RATE)).astype(np.float32)


def test_names_of_all_kinds_come_through(workspace):
    for seed, name in enumerate(NAMES):
        speak(f"{name}/{name}.wav" if len(name) < 50 else f"{name}.wav", seed=seed)
    settings = configure(max_pause_ms=800, reach_ms=300)
    assert segment(settings) == 0
    written = {row.recording: row.path for row in manifests.read_audio(Path("data/manifests/voices/000.audio.tsv"))}
    assert len(written) == len(NAMES)
    found = table()
    assert {row["recording"] for row in found} == set(written)
    assert {row["status"] for row in found} == {"ok"}
    assert len({row["clip"] for row in found}) == len(found) == 2 * len(NAMES)
    store = ClipStore(PARQUET, TAR, settings.corpus_root("voices"))
    for row in store:
        whole, _ = read_mono(Path("raw") / written[row["recording"]])
        clip = store.audio(row)
        start_at = round(row["start_s"] * RATE)
        assert np.array_equal(clip.samples, whole[start_at : start_at + len(clip.samples)])
    with tarfile.open(TAR) as archive:
        members = [member.name for member in archive]
    assert members == [row["clip"] + ".flac" for row in found]
    assert not any(Path(name).is_absolute() or ".." in Path(name).parts for name in members)
    assert sorted(os.listdir(workspace)) == ["data", "raw", "work"]


def test_what_does_not_decode_is_a_row_with_a_sentence_and_the_rest_goes_on(workspace):
    speak("good.wav")
    whole = speak("cut.wav").read_bytes()
    Path("raw/cut.wav").write_bytes(whole[: len(whole) // 2])
    Path("raw/empty.wav").write_bytes(b"")
    Path("raw/page.mp3").write_text("<html>gone</html>")
    soundfile.write("raw/nan.wav", np.array([0.1, np.nan], np.float32), RATE, subtype="FLOAT")
    soundfile.write("raw/silent.wav", np.zeros(3 * RATE, np.float32), RATE)
    assert segment(configure(max_failed=0.8)) == 0
    by_recording = {}
    for row in table():
        by_recording.setdefault(row["recording"], row)
    assert {name: row["status"] for name, row in by_recording.items()} == {
        "good": "ok",
        "silent": "empty",
        **dict.fromkeys(("cut", "empty", "page", "nan"), "failed"),
    }
    for name, said in (("cut", "cut off"), ("empty", "0 bytes"), ("page", "a web page"), ("nan", "NaN")):
        assert said in by_recording[name]["error"]
        assert f"{name}." in by_recording[name]["error"]
    assert (by_recording["silent"]["recording_s"], by_recording["silent"]["hum_db"]) == (3, None)


def test_a_recording_that_went_is_a_row_too(workspace, monkeypatch):
    speak("good.wav")
    gone = speak("gone.wav", seed=1)
    settings = configure(max_failed=0.8)
    start.scan_corpus(settings, "voices")
    gone.unlink()
    monkeypatch.setattr(start, "scan_corpus", lambda *_: None)
    assert segment(settings) == 0
    (row,) = [row for row in table() if row["status"] == "failed"]
    assert row["recording"] == "gone"
    assert row["error"].endswith("gone.wav: no such file. Expected: an audio file.")


def test_hum_is_a_figure_of_each_recording_and_filtered_only_where_it_is_asked_for(workspace):
    parts = (-1, 2, -1.2, 2, -1)
    speak("clean.wav", parts)
    speak("hum.wav", parts, seed=4, add=mains)
    assert segment(configure()) == 0
    plain = table()
    assert {row["treatment"] for row in plain} == {""}
    hums = {row["recording"]: (row["hum_db"] >= 13, row["hum_harmonics"]) for row in plain}
    assert hums["clean"] == (False, "")
    assert hums["hum"][1].startswith(("50", "49.9"))
    assert segment(configure(notch_hum=True, notch_above_db=10)) == 0
    treated = {row["recording"]: row for row in table()}
    assert treated["hum"]["treatment"] == f"notch {treated['hum']['hum_harmonics']} Hz"
    assert treated["hum"]["hum_hz"] == 50
    assert treated["clean"]["treatment"] == ""
    digests = {row["clip"]: row["digest"] for row in plain}
    assert all((digests[row["clip"]] == row["digest"]) == (row["recording"] == "clean") for row in table())


def test_clips_that_are_files_stay_references_unless_they_hum(workspace):
    speak("clean.wav", (-1, 2, -1))
    speak("hum.wav", (-1, 2, -1), seed=4, add=mains)
    assert segment(configure("wav_lab")) == 0
    assert {row["path"] for row in table()} == {"clean.wav", "hum.wav"}
    assert {row["hum_db"] for row in table()} == {None}
    assert segment(configure("wav_lab", notch_hum=True, notch_above_db=10)) == 0
    assert {row["recording"]: row["path"] for row in table()} == {"clean": "clean.wav", "hum": ""}
    assert {row["clip"] for row in table()} == {"clean", "hum"}
    store = ClipStore(PARQUET, TAR, Path("raw"))
    assert {row["clip"]: len(store.audio(row).samples) for row in store} == {"clean": 4 * RATE, "hum": 4 * RATE}


def test_nothing_is_written_beside_the_recordings(workspace):
    speak("a.wav")
    before = {path: path.stat().st_mtime_ns for path in Path("raw").rglob("*")}
    Path("raw").chmod(0o555)
    try:
        assert segment(configure(notch_hum=True)) == 0
    finally:
        Path("raw").chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in Path("raw").rglob("*")} == before


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "error: no room is left"), (errno.EROFS, "may not be read or written")]
)
def test_a_disk_that_takes_no_more_stops_the_job_with_a_sentence(number, said, workspace, monkeypatch, capsys):
    speak("a.wav")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "add", refuse)
        assert segment(configure(max_failed=0.9)) == 1
    told = capsys.readouterr().err
    assert said in told and "run again" in told
    assert "Traceback" not in told
    assert not PARQUET.exists()
    assert segment(configure(max_failed=0.9)) == 0


def test_a_workspace_that_may_not_be_written_is_told_at_the_start(workspace, monkeypatch):
    speak("a.wav")
    config = configure().model_dump(mode="json")

    def refuse(path, *_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("kaiku.store.atomic.write_text_if_changed", refuse)
    with pytest.raises(SystemExit, match=r"kaiku: .* may not be read or written \(Read-only"):
        start.start(config, main_process=True)
