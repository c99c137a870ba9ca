"""Each check finds the fault that was planted, by the right amount, and not where there is none."""

import numpy as np
import pytest
from synthetic_voice import recording, voice

from kaiku.audio.clips import ClipAudio
from kaiku.checks import clipping, duration, hum, level, speech

RATE = 16_000
SPEECH = recording(-1.2, 2, -1.2)


def measure(check, samples, sample_rate=RATE, **settings):
    return check.measure(ClipAudio(np.asarray(samples, np.float32), sample_rate), check.Settings(**settings))


def test_duration():
    assert measure(duration, np.zeros(22_050), 44_100) == {"duration_s": 0.5}


def test_level_of_a_tone_with_an_offset():
    t = np.arange(RATE) / RATE
    measured = measure(level, 0.5 * np.sin(2 * np.pi * 100 * t))
    assert measured["rms_db"] == pytest.approx(-9.03, abs=0.01)
    assert measured["peak_db"] == pytest.approx(-6.02, abs=0.01)
    assert measured["dc"] == pytest.approx(0, abs=1e-6)
    assert measure(level, 0.5 * np.sin(2 * np.pi * 100 * t) + 0.02)["dc"] == pytest.approx(0.02, abs=1e-6)


def test_level_halves_with_the_samples():
    full, half = measure(level, SPEECH), measure(level, SPEECH / 2)
    assert full["rms_db"] - half["rms_db"] == pytest.approx(6.02, abs=0.01)


def test_level_above_full_scale():
    assert measure(level, [0.1, 1.36, 0.1])["peak_db"] == pytest.approx(2.67, abs=0.01)


def overdriven(samples, overdrive_db):
    ceiling = np.abs(samples).max() / 10 ** (overdrive_db / 20)
    return np.clip(samples, -ceiling, ceiling)


@pytest.mark.parametrize(("overdrive_db", "least"), [(1, 3e-5), (3, 3e-4), (6, 3e-3)])
def test_clipping_grows_with_overdrive(overdrive_db, least):
    assert measure(clipping, overdriven(SPEECH, overdrive_db))["clipped_share"] >= least
    assert measure(clipping, SPEECH)["clipped_share"] == 0


def test_clipping_below_full_scale_is_found_after_a_gain_and_an_offset():
    clipped = overdriven(SPEECH, 3)
    found = measure(clipping, clipped)["clipped_share"]
    for changed in (0.1 * clipped, 0.1 * clipped + 0.02, -clipped):
        in_16_bits = np.round(changed * 2**15) / 2**15
        assert measure(clipping, in_16_bits)["clipped_share"] == pytest.approx(found, rel=0.1)


def test_a_ceiling_on_one_side_counts_once():
    clipped = np.minimum(SPEECH, SPEECH.max() / 1.4)
    at_ceiling = np.count_nonzero(clipped == clipped.max())
    assert measure(clipping, clipped)["clipped_share"] == at_ceiling / len(SPEECH) > 0


def test_a_pile_is_none_where_levels_near_it_hold_about_as_many():
    samples = np.zeros(1000)
    samples[100:104], samples[200:204] = 0.8, 0.75
    assert measure(clipping, samples)["clipped_share"] == 0
    assert measure(clipping, samples, times=1)["clipped_share"] == 4 / 1000
    samples[204:250:10] = 0.8
    assert measure(clipping, samples)["clipped_share"] == 0
    samples[300:310] = 0.8
    assert measure(clipping, samples)["clipped_share"] == 19 / 1000


@pytest.mark.parametrize("gain", [1, 0.1, 0.01, 0.003])
def test_quiet_clips_of_16_bits_tones_and_coarse_steps_are_not_clipped(gain):
    t = np.arange(2 * RATE) / RATE
    for clean in (SPEECH, 0.5 * np.sin(2 * np.pi * 441.7 * t), np.round(SPEECH * 127) / 127):
        assert measure(clipping, np.round(clean * gain * 2**15) / 2**15)["clipped_share"] == 0


def test_clipping_at_the_edges_and_on_both_sides():
    samples = np.full(1000, 0.1)
    samples[:4], samples[-5:] = 0.8, -0.7
    assert measure(clipping, samples)["clipped_share"] == 9 / 1000
    assert measure(clipping, samples, min_samples=5)["clipped_share"] == 5 / 1000
    assert measure(clipping, np.zeros(10))["clipped_share"] is None


def test_speech_share_and_edges():
    measured = measure(speech, recording(-0.5, 2, -1.5))
    assert measured["speech_s"] == pytest.approx(2, abs=0.2)
    assert measured["speech_share"] == pytest.approx(0.5, abs=0.05)
    assert measured["silence_before_ms"] == pytest.approx(500, abs=100)
    assert measured["silence_after_ms"] == pytest.approx(1500, abs=150)


def test_silence_has_no_speech_and_no_edges():
    measured = measure(speech, np.zeros(RATE))
    assert measured == {"speech_s": 0.0, "speech_share": 0.0, "silence_before_ms": None, "silence_after_ms": None}


def mains(n, hz, level_db, sample_rate=RATE):
    t = np.arange(n) / sample_rate
    wave = sum(np.sin(2 * np.pi * hz * k * t + k) / k for k in range(1, 5))
    return wave * 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))


@pytest.mark.parametrize("hz", [50, 60])
@pytest.mark.parametrize("level_db", [-45, -55])
def test_hum_is_found_with_its_frequency(hz, level_db):
    noisy = SPEECH + np.random.default_rng(5).standard_normal(len(SPEECH)) * 1e-3
    clean, planted = measure(hum, noisy), measure(hum, noisy + mains(len(SPEECH), hz, level_db))
    assert clean["hum_db"] < 10
    assert planted["hum_db"] > 12
    assert planted["hum_hz"] == hz


def test_hum_at_another_rate():
    samples = recording(-1.2, 1, -1.2, sample_rate=44_100)
    measured = measure(hum, samples + mains(len(samples), 60, -50, 44_100), 44_100)
    assert measured["hum_db"] > 20
    assert measured["hum_hz"] == 60


def test_hum_is_not_measured_without_background():
    nothing = {"hum_db": None, "hum_hz": None}
    assert measure(hum, voice(3)) == nothing  # a voice has harmonics of its own
    assert measure(hum, recording(-0.4, 2, -0.4)) == nothing  # pauses shorter than a frame
    assert measure(hum, recording(-0.8, 2)) == nothing  # less than a second
    assert measure(hum, recording(-0.8, 2), min_background_s=0.5)["hum_db"] is not None


def test_hum_is_not_measured_behind_a_gate():
    nothing = {"hum_db": None, "hum_hz": None}
    humming = SPEECH + mains(len(SPEECH), 60, -45)
    gated, edge = humming.copy(), round(0.4 * RATE)
    gated[: round(1.1 * RATE)] = gated[-round(1.1 * RATE) :] = 0
    assert measure(hum, gated) == measure(hum, np.zeros(4 * RATE)) == nothing
    gated[:edge] = humming[:edge]
    assert measure(hum, gated) == nothing  # less than a second is heard
    assert measure(hum, gated, min_background_s=0.5)["hum_db"] > 12


def test_a_low_voice_is_no_hum():
    assert measure(hum, SPEECH)["hum_db"] < 10
