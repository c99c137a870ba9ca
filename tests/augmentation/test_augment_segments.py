"""The program that makes derived clips: what each edit costs, and what the rows say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from exported_world import RATE, tone

from kaiku.store import digest, tables
from kaiku.store.clips import ClipStore
from workflow_scripts import augment_segments

ROWS = Path("data/segments/aino-new/000.parquet")


def derive(world, carry="work/carry/augment/aino-new/000", rows=ROWS, **own):
    """Make the derived corpus of the world's only shard as it is now; item counts of the job."""
    world.config["corpora"]["aino-new"] = {"derived": {"of": "aino", **own}, "max_failed": 1}
    world.make()
    source = ["--segments", "data/segments/aino/000.parquet", "--audio", "data/segments/aino/000.tar"]
    made = ["--rows", str(rows), "--tar", str(rows.with_suffix(".tar")), "--carry", carry, "--log", "logs/a.log"]
    assert augment_segments.main(["--corpus", "aino-new", *source, *made]) == 0
    counts = json.loads(Path("logs/a.counts.json").read_text())
    return counts["computed"], counts["reused"], counts["failed"]


@pytest.fixture
def spoken(world):
    for number in range(5):
        world.speak(f"clip-{number}", samples=tone(200 + 20 * number, 0.4 + 0.1 * number))
    return world


def test_what_each_edit_costs(spoken):
    noisy = {"speed": 0.9, "noise": {"snr_db": 12}}
    assert derive(spoken, **noisy) == (5, 0, 0)
    assert derive(spoken, **noisy) == (0, 5, 0)
    spoken.speak("added", samples=tone(500, 0.5))
    assert derive(spoken, **noisy) == (1, 5, 0)
    spoken.speak("clip-2", samples=tone(700, 0.5))
    assert derive(spoken, **noisy) == (1, 5, 0)
    for suffix in (".wav", ".lab"):
        Path(f"raw/aino/clip-1{suffix}").rename(f"raw/aino/renamed{suffix}")
        Path(f"raw/aino/clip-4{suffix}").unlink()
    assert derive(spoken, **noisy) == (0, 5, 0)
    spoken.speak("clip-0", text="uusi sana", samples=tone(200, 0.4))
    assert derive(spoken, **noisy) == (0, 5, 0)
    assert derive(spoken, **noisy | {"speed": 1.1}) == (5, 0, 0)
    assert derive(spoken, **noisy) == (0, 5, 0), "changed and changed back"
    names = tables.segments(ROWS)["clip"].to_list()
    assert names == [f"{name}~aino-new" for name in ("added", "clip-0", "clip-2", "clip-3", "renamed")]


def test_the_bytes_are_those_of_a_clean_build_whatever_went_before(spoken):
    derive(spoken, tempo=1.2, noise={"snr_db": 3, "colour": "pink"})
    spoken.speak("added", samples=tone(500, 0.5))
    derive(spoken, tempo=1.2, noise={"snr_db": 3, "colour": "pink"})
    clean = Path("data/segments/aino-new/clean.parquet")
    assert derive(spoken, "work/carry/clean", clean, tempo=1.2, noise={"snr_db": 3, "colour": "pink"}) == (6, 0, 0)
    for suffix in (".parquet", ".tar"):
        assert digest.of_file(clean.with_suffix(suffix)) == digest.of_file(ROWS.with_suffix(suffix))


def test_rows_tell_whose_they_are_and_how_long(spoken):
    derive(spoken, speed=0.8)
    source, frame = tables.segments(Path("data/segments/aino/000.parquet")), tables.segments(ROWS)
    assert frame["recording"].to_list() == source["recording"].to_list()
    assert set(frame["speaker"]) == {"aino"} and set(frame["language"]) == {"fi"}
    assert set(frame["treatment"]) == {"speed 0.8"} and set(frame["path"]) == {""}
    store = ClipStore(ROWS, ROWS.with_suffix(".tar"), Path())
    for row, before in zip(store, source.to_dict("records"), strict=True):
        samples = len(store.audio(row).samples)
        assert samples == round((before["end_s"] - before["start_s"]) * RATE / 0.8)
        assert row["end_s"] - row["start_s"] == pytest.approx(samples / RATE, abs=1e-9)
        assert row["recording_s"] == pytest.approx(before["recording_s"] / 0.8)


def test_a_peak_above_full_scale_comes_back_as_it_is(world):
    world.speak("loud", samples=tone(300, 0.5, level=1.6))
    derive(world, noise={"snr_db": 60})
    (row,) = store = ClipStore(ROWS, ROWS.with_suffix(".tar"), Path())
    assert row["peak"] > 1.5 and row["gain_db"] < 0
    assert np.abs(store.audio(row).samples).max() == pytest.approx(row["peak"], rel=1e-4)


def test_another_noise_recording_concerns_only_the_clips_that_draw_it(spoken):
    rng = np.random.default_rng(2)

    def add_noise(name):
        Path("noise/sub").mkdir(parents=True, exist_ok=True)
        soundfile.write(f"noise/sub/{name}.wav", rng.normal(0, 0.1, RATE), RATE)

    add_noise("a")
    for number in range(5, 20):
        spoken.speak(f"clip-{number}", samples=tone(200 + 20 * number, 0.3))
    own = {"noise": {"snr_db": 10, "folder": "noise"}}
    assert derive(spoken, **own) == (20, 0, 0)
    add_noise("b")
    computed, reused, _ = derive(spoken, **own)
    assert computed + reused == 20 and 3 <= computed <= 17
    shutil.copytree("noise", "elsewhere")
    assert derive(spoken, noise={"snr_db": 10, "folder": "elsewhere"}) == (0, 20, 0)
    Path("elsewhere/sub/b.wav").unlink()
    assert derive(spoken, noise={"snr_db": 10, "folder": "elsewhere"}) == (0, 20, 0), "as it was: still in the attic"


def test_one_broken_noise_recording_fails_its_clips_alone(spoken):
    Path("noise").mkdir()
    soundfile.write("noise/good.wav", np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    Path("noise/bad.wav").write_bytes(b"no audio at all")
    for number in range(5, 20):
        spoken.speak(f"clip-{number}", samples=tone(200 + 20 * number, 0.3))
    computed, _, failed = derive(spoken, noise={"snr_db": 10, "folder": "noise"})
    assert computed + failed == 20 and computed and failed
    frame = tables.segments(ROWS)
    broken = frame[frame["status"] == "failed"]
    assert len(broken) == failed and broken["error"].str.contains("bad.wav").all()
