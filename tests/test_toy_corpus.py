"""The toy corpus is what its truth.json says, and its generator still makes it."""

import importlib
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaiku.errors import KaikuError
from kaiku.store import digest
from kaiku.text import vtt

TOY = Path(__file__).parents[1] / "toy"
CORPUS = TOY / "corpus"
TRUTH = json.loads((TOY / "truth.json").read_text(encoding="utf-8"))["recordings"]
WHOLE = sorted(path for path in TRUTH if "/bad/" not in path)
QUIET_BETWEEN = sorted(p for p in WHOLE if TRUTH[p]["fault"] in (None, "duplicate", "wrong_text", "two_speakers"))

sys.path.append(str(TOY))
make_corpus, script = importlib.import_module("make_corpus"), importlib.import_module("script")


def read(path: str) -> np.ndarray:
    samples, sample_rate = soundfile.read(CORPUS / path, dtype="float32")
    assert sample_rate == 16_000 and samples.ndim == 1
    return samples


def loudness_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def texts(pattern: str) -> list[str]:
    return [s["text"] for path in sorted(TRUTH) if Path(path).match(pattern) for s in TRUTH[path]["sentences"]]


def words(sentences: list[str]) -> set[str]:
    return {word for sentence in sentences for word in sentence.rstrip(".").split()}


def faulty(fault: str) -> np.ndarray:
    (path,) = (path for path, row in TRUTH.items() if row["fault"] == fault)
    return read(path)


def test_it_is_small():
    files = [p for p in CORPUS.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in [*files, TOY / "truth.json"]) < 2_500_000


def test_truth_has_a_row_for_each_audio_file_with_its_digest():
    audio = {
        p.relative_to(CORPUS).as_posix() for p in CORPUS.rglob("*") if p.suffix in (".ogg", ".flac", ".wav", ".mp3")
    }
    assert audio == TRUTH.keys()
    assert {path: digest.of_file(CORPUS / path) for path in TRUTH} == {p: row["digest"] for p, row in TRUTH.items()}


def test_truth_is_what_the_script_says():
    recordings = script.recordings()
    assert len(recordings) == 20 + 10 + 2 * 5 + 3 * 3 + 10 + 5 == len(TRUTH)
    for recording in recordings:
        row = TRUTH[recording.path]
        assert (row["speaker"], row["fault"]) == (recording.speaker, recording.fault)
        said = [script.Line(s["speaker"], s["text"], s.get("given")) for s in row["sentences"]]
        assert tuple(said) == recording.lines


def test_recordings_last_as_long_as_truth_says():
    assert {path: round(len(read(path)) / 16_000, 4) for path in WHOLE} == {p: TRUTH[p]["duration_s"] for p in WHOLE}


def test_sentences_lie_inside_their_recording_and_are_loud():
    for path in WHOLE:
        samples, row = read(path), TRUTH[path]
        edges = [0.0, *(time for s in row["sentences"] for time in (s["start_s"], s["end_s"])), row["duration_s"]]
        assert edges == sorted(set(edges)), path
        for s in row["sentences"]:
            assert loudness_db(samples[round(s["start_s"] * 16_000) : round(s["end_s"] * 16_000)]) > -30, path


def test_there_is_silence_between_sentences():
    for path in QUIET_BETWEEN:
        samples, sentences = read(path), TRUTH[path]["sentences"]
        for before, after in pairwise(sentences):
            assert 0.5 <= round(after["start_s"] - before["end_s"], 3) <= 1.2
            # 30 ms at either end are left to the ringing of the codec.
            pause = samples[round((before["end_s"] + 0.03) * 16_000) : round((after["start_s"] - 0.03) * 16_000)]
            assert loudness_db(pause) < -55, path


@pytest.mark.parametrize(("speaker", "count"), [("otso", 80), ("aino", 40)])
def test_held_out_sentences_are_new_combinations_of_the_words_trained_on(speaker, count):
    train, held_out = texts(f"{speaker}/train-*"), texts(f"{speaker}/heldout-*")
    assert (len(set(train)), len(set(held_out))) == (count, 20)
    assert not set(held_out) & {*texts("otso/train-*"), *texts("aino/train-*")}
    assert words(held_out) <= words(train)
    assert len(words(train)) == 32


def test_both_speakers_hold_out_the_same_sentences():
    assert texts("otso/heldout-*") == texts("aino/heldout-*")


def test_cues_give_the_texts_and_enclose_the_speech():
    paths = [path for path in TRUTH if (CORPUS / path).with_suffix(".vtt").exists()]
    assert len(paths) == 20 + 10 + 2 * 5 + 10 + 1
    for path in paths:
        cues = vtt.parse((CORPUS / path).with_suffix(".vtt").read_text(encoding="utf-8"))
        sentences = TRUTH[path]["sentences"]
        assert [text for _, _, text in cues] == [s.get("given", s["text"]) for s in sentences]
        for (start_s, end_s, _), s in zip(cues, sentences):
            assert 0.059 < s["start_s"] - start_s < 0.141 and 0.079 < end_s - s["end_s"] < 0.161
        assert all(cue[1] < after[0] for cue, after in pairwise(cues))


def test_labs_give_the_texts_of_clips():
    labs = {p.relative_to(CORPUS).as_posix(): p.read_text(encoding="utf-8") for p in CORPUS.rglob("*.lab")}
    clips = {path: row for path, row in TRUTH.items() if path.startswith("clips/")}
    assert labs == {p.replace(".flac", ".lab"): row["sentences"][0]["text"] + "\n" for p, row in clips.items()}
    assert {p.split("/")[1] for p in clips} == {row["language"] for row in clips.values()} == {"te", "pt-br", "en-us"}


def test_clipping_is_flat_at_the_top():
    assert np.count_nonzero(np.abs(faulty("clipping")) >= 0.599) > 1000


@pytest.mark.parametrize(("mains_hz", "other_hz"), [(50, 60), (60, 50)])
def test_hum_is_in_the_pause(mains_hz, other_hz):
    samples, (first, second) = faulty(f"hum_{mains_hz}"), TRUTH[f"faults/hum-{mains_hz}.ogg"]["sentences"]
    start = round((first["end_s"] + 0.05) * 16_000)
    pause = samples[start : start + 16_000 * 2 // 5]  # 0.4 s hold whole periods of both
    assert start + len(pause) < second["start_s"] * 16_000
    power = np.abs(np.fft.rfft(pause)) ** 2
    bin_hz = 16_000 / len(pause)
    for harmonic in (1, 2, 3):
        assert power[round(harmonic * mains_hz / bin_hz)] > 100 * power[round(harmonic * other_hz / bin_hz)]


def test_plosive_is_low_and_before_each_sentence():
    samples = faulty("plosive")
    for s in TRUTH["faults/plosive.ogg"]["sentences"]:
        puff = samples[round((s["start_s"] - 0.06) * 16_000) : round(s["start_s"] * 16_000)]
        power = np.abs(np.fft.rfft(puff)) ** 2
        assert loudness_db(puff) > -30
        assert power[1:7].sum() > 0.9 * power.sum()  # 17 to 100 Hz


def test_narrow_band_has_nothing_above_4_khz():
    def share_above(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        return power[int(len(power) * 4300 / 8000) :].sum() / power.sum()

    assert share_above(faulty("narrow_band")) < 1e-5 < 1e-3 < share_above(read("faults/clean.ogg"))


def test_duplicate_has_the_bytes_of_clean():
    assert TRUTH["faults/duplicate.ogg"]["digest"] == TRUTH["faults/clean.ogg"]["digest"]


def test_peaks_above_full_scale_and_not_a_number_are_kept():
    assert 1.3 < np.abs(faulty("over_full_scale")).max() < 1.4
    assert np.isnan(faulty("not_a_number")).all()


def test_truncated_file_ends_before_its_second_sentence():
    second = TRUTH["faults/bad/truncated.mp3"]["sentences"][1]
    assert 1 < len(faulty("truncated")) / 16_000 < second["start_s"]


@pytest.mark.parametrize("fault", ["header_only", "empty", "not_audio"])
def test_bad_files_do_not_decode(fault):
    with pytest.raises(soundfile.LibsndfileError):
        faulty(fault)


@pytest.fixture
def same_versions():
    try:
        others = make_corpus.other_versions()
    except KaikuError as error:
        pytest.skip(str(error))
    if others:
        pytest.skip(f"the corpus was made with other versions: {others}")


@pytest.mark.parametrize(
    "path", ["aino/train-03.ogg", "clips/te/ravi-01.flac", "faults/bad/truncated.mp3", "faults/over-full-scale.wav"]
)
def test_generator_makes_the_same_bytes(same_versions, path):
    (recording,) = (r for r in script.recordings() if r.path == path)
    files, row = make_corpus.make(recording)
    assert files == {name: (CORPUS / name).read_bytes() for name in files}
    assert row == TRUTH[path]


def test_check_names_the_file_that_differs(same_versions, tmp_path, monkeypatch):
    monkeypatch.setattr(make_corpus, "CORPUS", tmp_path)
    (tmp_path / "one.ogg").write_bytes(b"one")
    make_corpus.check({"one.ogg": b"one"})
    with pytest.raises(KaikuError, match=r"1 files in .* one\.ogg"):
        make_corpus.check({"one.ogg": b"two"})
    with pytest.raises(KaikuError, match=r"two\.ogg"):
        make_corpus.check({"one.ogg": b"one", "two.ogg": b"two"})
