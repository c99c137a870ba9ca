"""Pitch and its spread, on tones and voices whose fundamental frequency is known."""

import numpy as np
import pytest
from pydantic import ValidationError
from synthetic_voice import PITCH_HZ, voice

from kaiku.audio.clips import ClipAudio
from kaiku.checks import pitch

RATE = 16_000
SECONDS = np.arange(2 * RATE) / RATE


def measure(samples, sample_rate=RATE, **settings):
    return pitch.measure(ClipAudio(np.asarray(samples, np.float32), sample_rate), pitch.Settings(**settings))


def sounding(hz, harmonics=8):
    """A tone of that many harmonics; hz: [2 s at 16 kHz], or one number for all."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, SECONDS.shape)) / RATE
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, harmonics + 1))


@pytest.mark.parametrize("hz", [70, 110, 220, 333.3, 450])
@pytest.mark.parametrize("harmonics", [1, 8])
def test_a_flat_tone_has_its_frequency_and_no_spread(hz, harmonics):
    found = measure(sounding(hz, harmonics))
    assert found["pitch_hz"] == pytest.approx(hz, rel=2e-3)
    assert found["pitch_spread_st"] < 0.05


@pytest.mark.parametrize("octaves", [0.5, 1, -1])
def test_a_glide_spreads_over_two_thirds_of_its_way(octaves):
    found = measure(sounding(150 * 2 ** (octaves * SECONDS / 2)))
    assert found["pitch_spread_st"] == pytest.approx(abs(octaves) * 12 * 0.68 / 2, rel=0.05)
    assert found["pitch_hz"] == pytest.approx(150 * 2 ** (octaves / 2), rel=0.02)


@pytest.mark.parametrize("depth_st", [0.5, 1, 3])
def test_a_vibrato_spreads_by_its_depth(depth_st):
    found = measure(sounding(200 * 2 ** (depth_st * np.sin(2 * np.pi * 3 * SECONDS) / 12)))
    assert found["pitch_spread_st"] == pytest.approx(depth_st * np.sin(0.34 * np.pi), rel=0.06)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0, 0.01])
def test_a_voice_has_the_pitch_that_it_was_made_with(seed, noise):
    seconds = np.arange(3 * RATE) / RATE
    start = np.random.default_rng(seed).uniform(0, 6)
    made = PITCH_HZ * (1 + 0.15 * np.sin(3 * seconds + start) + 0.05 * np.sin(11 * seconds))
    sound = voice(3, seed)
    found = measure(sound + np.random.default_rng(9).standard_normal(len(sound)) * noise)
    assert found["pitch_hz"] == pytest.approx(np.median(made), rel=0.03)
    low, high = 12 * np.log2(np.percentile(made, [16, 84]))
    assert found["pitch_spread_st"] == pytest.approx((high - low) / 2, rel=0.1)


def test_octave_errors_of_a_few_frames_move_no_figure():
    found = measure(sounding(np.where(SECONDS < 0.2, 110, 220)))
    assert found["pitch_spread_st"] < 0.05
    assert found["pitch_hz"] == pytest.approx(220, rel=2e-3)


def test_hum_between_words_is_no_voice():
    pause = np.zeros(RATE)
    samples = np.concatenate([pause, sounding(220), pause])
    hum = 0.005 * np.sin(2 * np.pi * 100 * np.arange(len(samples)) / RATE)
    assert measure(samples + hum)["pitch_hz"] == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100])
def test_the_pitch_is_that_of_any_sample_rate(sample_rate):
    assert measure(voice(2, 1, sample_rate), sample_rate) == pytest.approx(measure(voice(2, 1)), rel=0.08)


def test_what_has_too_little_voice_has_no_pitch():
    nothing = {"pitch_hz": None, "pitch_spread_st": None}
    noise = np.random.default_rng(0).standard_normal(2 * RATE) * 0.1
    assert measure(noise) == measure(np.zeros(2 * RATE)) == measure(np.full(RATE, 0.25)) == nothing
    short = sounding(220)[: round(0.4 * RATE)]
    assert measure(short) == nothing
    assert measure(short, min_voiced_s=0.3)["pitch_hz"] == pytest.approx(220, rel=2e-3)
    assert measure(sounding(700, harmonics=1))["pitch_hz"] != pytest.approx(700, rel=0.1), "above highest_hz"
    assert measure(sounding(700, harmonics=1), highest_hz=800)["pitch_hz"] == pytest.approx(700, rel=0.01)


def test_a_range_that_holds_no_voice_is_refused():
    with pytest.raises(ValidationError, match="highest_hz=100 is less than twice lowest_hz=60"):
        pitch.Settings(highest_hz=100)
