"""The env codec beyond the common contract: its transform, its fitting, its files."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from kaiku.codecs import env
from kaiku.codecs.env import clustering, fitting, postnet, quantiser
from kaiku.codecs.env.codec import overlap_add, write_random
from kaiku.errors import CorruptFile, KaikuError

SMALL = env.Settings(hop=320, codebook_size=24, post_width=16, post_steps=30)


def voice(seconds, seed, sample_rate=16000):
    """Something like speech: a harmonic tone under two wandering resonances, in syllables, with some noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * sample_rate)) / sample_rate

    def wander(low, high):
        knots = rng.uniform(low, high, int(seconds * 5) + 2)
        return np.interp(t, np.linspace(0, seconds, len(knots)), knots)

    pitch, first, second = wander(90, 160), wander(300, 800), wander(900, 2500)
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    wav = 3e-4 * rng.standard_normal(len(t))
    for harmonic in range(1, 25):
        frequency = harmonic * pitch
        gain = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 250) ** 2))
        wav += 0.15 * gain * np.sin(harmonic * phase)
    return (wav * np.clip(wander(-0.5, 1.2), 0, 1)).astype(np.float32)


TRAIN = [voice(4, seed) for seed in range(4)]
HELD_OUT = [voice(2, seed) for seed in (100, 101)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("env") / "codec"
    env.fit(SMALL, TRAIN, folder, held_out=HELD_OUT)
    return folder


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_mdct_is_the_formula():
    hop = 12
    frame = np.random.default_rng(0).normal(size=2 * hop)
    n, k = np.arange(2 * hop), np.arange(hop)[:, None]
    window = np.sin(np.pi * (n + 0.5) / (2 * hop))
    basis = np.sqrt(2 / hop) * np.cos(np.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5))
    assert np.allclose(quantiser.mdct(frame[None])[0], basis @ (window * frame), atol=1e-12)


def test_inverse_mdct_restores_the_audio_one_hop_late():
    hop = 64
    wav = np.random.default_rng(0).normal(0, 0.1, 10 * hop).astype(np.float32)
    back = overlap_add(quantiser.mdct(quantiser.framed(wav, hop)))
    assert back.shape == wav.shape
    assert np.abs(back[hop:] - wav[:-hop]).max() < 1e-7
    assert np.array_equal(postnet.lagged(wav, hop).reshape(-1)[hop:], wav[:-hop])


def test_training_and_decoding_add_windows_alike():
    spectrum = np.random.default_rng(0).normal(size=(5, 16))
    windows = torch.from_numpy(quantiser.imdct(spectrum))
    assert np.abs(postnet.overlap_add(windows[None])[0].numpy() - overlap_add(spectrum)).max() < 1e-6


def test_mel_bands_are_means_and_none_is_empty():
    for size, bands in [(256, 20), (320, 32), (1024, 80), (1280, 32)]:
        weights = quantiser.mel_bands(np.fft.rfftfreq(size, 1 / 16000), bands)
        assert weights.shape == (size // 2 + 1, bands)
        assert np.allclose(weights.sum(axis=0), 1)
        assert (weights >= 0).all()
        assert (np.diff(weights.argmax(axis=0)) >= 0).all()


def test_first_level_ignores_phase():
    t = np.arange(16000) / 16000
    sines = [np.sin(2 * np.pi * 437 * t + phase).astype(np.float32) for phase in (0, 1, 2, 3)]
    features = [quantiser.log_band_energies(quantiser.framed(wav, 640)[5:6], 16000) for wav in sines]
    heard = features[0] > features[0].max() - 4  # within 40 dB of the loudest band
    assert np.count_nonzero(heard) >= 3
    assert max(np.abs(f - features[0])[heard].max() for f in features) < 0.05
    coefficients = [quantiser.mdct(quantiser.framed(wav, 640)[5:6]) for wav in sines]
    assert np.abs(coefficients[1] - coefficients[0]).max() > 1


def test_equal_entries_take_the_lowest_code():
    rng = np.random.default_rng(0)
    entry = rng.normal(size=50)
    codebook = np.stack([entry + 5, entry, entry, entry])
    assert quantiser.nearest(rng.normal(size=(300, 50)) * 0.01 + entry, codebook).tolist() == [1] * 300


def test_kmeans_finds_separate_clusters():
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(6, 8)) * 10
    points = np.repeat(middles, 30, axis=0) + rng.normal(size=(180, 8)) * 0.01
    centres = clustering.kmeans(points, 6, 5, np.random.default_rng(1))
    assert np.abs(np.sort(centres, axis=0) - np.sort(middles, axis=0)).max() < 0.02


def test_block_size_moves_no_bit(folder, monkeypatch):
    codec = env.load(SMALL, folder)
    codes = codec.encode(TRAIN[0])
    wav = codec.decode(codes)
    monkeypatch.setattr(quantiser, "BLOCK", 7)
    assert np.array_equal(codec.encode(TRAIN[0]), codes)
    assert np.array_equal(codec.decode(codes), wav)


def test_two_fits_give_equal_bytes_and_spare_the_global_generator(folder, tmp_path):
    state = torch.get_rng_state()
    env.fit(SMALL, TRAIN, tmp_path / "again", held_out=HELD_OUT)
    assert torch.equal(torch.get_rng_state(), state)
    assert files(tmp_path / "again") == files(folder)


def test_held_out_clips_are_not_fitted_on(folder, tmp_path):
    env.fit(SMALL, TRAIN, tmp_path, held_out=HELD_OUT[:1])
    for name in ("encoder.safetensors", "decoder.safetensors", "config.json"):
        assert files(tmp_path)[name] == files(folder)[name]


def test_another_seed_gives_another_codec(folder, tmp_path):
    other = env.fit(SMALL.model_copy(update={"seed": 1, "post_steps": 0}), TRAIN, tmp_path)
    assert other.digest != env.load(SMALL, folder).digest


def test_fitting_brings_held_out_audio_nearer(folder, tmp_path):
    metrics = json.loads((folder / "metrics.json").read_text())
    unfitted = env.fit(SMALL.model_copy(update={"post_steps": 0}), TRAIN, tmp_path, held_out=HELD_OUT)
    idle = json.loads((tmp_path / "metrics.json").read_text())
    assert unfitted.digest == env.load(SMALL, folder).digest
    assert idle["after"] == idle["before"] == metrics["before"]
    assert metrics["after"]["mel_distance"] < 0.9 * metrics["before"]["mel_distance"]
    assert metrics["before"]["snr_db"] > 0.5


def test_fitted_codebooks_beat_random_ones(folder, tmp_path):
    write_random(SMALL, tmp_path)
    fitted = json.loads((folder / "metrics.json").read_text())["before"]
    random = fitting.measure(env.load(SMALL, tmp_path), HELD_OUT)["before"]
    assert fitted["snr_db"] > random["snr_db"] + 1
    assert fitted["stoi"] > random["stoi"] + 0.1
    assert fitted["mel_distance"] < 0.8 * random["mel_distance"]


def test_metrics_describe_the_codec(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["held_out_clips"] == 2
    assert metrics["held_out_s"] == 4.0
    assert metrics["fitted_on_s"] == 16.0
    assert metrics["bitrate_bps"] == pytest.approx(3 * np.log2(24) * 50, abs=1e-3)
    assert [level["codes"] for level in metrics["levels"]] == [24, 24, 24]
    assert all(1 <= level["perplexity"] <= level["used"] <= 24 for level in metrics["levels"])
    assert metrics["levels"][0]["used"] >= 12


def test_without_held_out_clips_nothing_is_claimed(tmp_path):
    env.fit(SMALL.model_copy(update={"post_steps": 0}), TRAIN[:1], tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["levels"] is None
    assert metrics["after"] == {"snr_db": None, "stoi": None, "mel_distance": None}


def test_fit_s_bounds_the_audio(tmp_path):
    env.fit(SMALL.model_copy(update={"fit_s": 5.0, "post_steps": 0}), TRAIN, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["fitted_on_s"] == 5.0


def test_too_small_a_corpus_is_told_in_figures(tmp_path):
    with pytest.raises(KaikuError, match=r"1 of 1 clips hold 20 frames \(0\.4 s\).*at least 24 frames \(0\.5 s\)"):
        env.fit(SMALL, [TRAIN[0][:6400]], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_clips_at_all_are_told_too(tmp_path):
    with pytest.raises(KaikuError, match="0 of 0 clips hold 0 frames"):
        env.fit(SMALL, [], tmp_path)


def test_a_corpus_of_silence_is_told(tmp_path):
    with pytest.raises(KaikuError, match="frames differ"):
        env.fit(SMALL, [np.zeros(64000, np.float32)], tmp_path)


def test_digital_silence_has_one_code(folder):
    codes = env.load(SMALL, folder).encode(np.zeros(16000, np.float32))
    assert len(np.unique(codes, axis=0)) == 1


def test_codes_do_not_depend_on_threads(folder, tmp_path):
    np.save(tmp_path / "wav.npy", np.concatenate(TRAIN))
    program = (
        "import sys, numpy; from pathlib import Path; from kaiku.codecs import env;"
        "settings = env.Settings(hop=320, codebook_size=24, post_width=16);"
        "codes = env.load(settings, Path(sys.argv[1])).encode(numpy.load(sys.argv[2]));"
        "assert 'torch' not in sys.modules;"
        "sys.stdout.buffer.write(codes.tobytes())"
    )
    outputs = []
    for threads in ("1", "2"):
        variables = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, "-c", program, str(folder), str(tmp_path / "wav.npy")]
        outputs.append(subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=True).stdout)
    assert len(outputs[0]) == 800 * 3 * 2
    assert outputs[0] == outputs[1]


def test_another_layout_than_configured_is_refused(folder):
    with pytest.raises(KaikuError, match=r"hop 320.*Expected: hop 640"):
        env.load(env.Settings(codebook_size=24), folder)


def test_other_training_settings_read_the_same_codec(folder):
    other = SMALL.model_copy(update={"post_steps": 9, "post_width": 99, "seed": 9})
    assert env.load(other, folder).digest == env.load(SMALL, folder).digest


@pytest.mark.parametrize("name", ["encoder.safetensors", "decoder.safetensors", "config.json"])
def test_damaged_files_are_refused(folder, tmp_path, name):
    for file, data in files(folder).items():
        (tmp_path / file).write_bytes(data[: len(data) // 2] if file == name else data)
    with pytest.raises((CorruptFile, KaikuError), match=name):
        codec = env.load(SMALL, tmp_path)
        codec.decode(codec.encode(TRAIN[0]))
