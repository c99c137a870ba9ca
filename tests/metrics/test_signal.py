"""Signal measures against answers known beforehand."""

import numpy as np
import pytest

from kaiku.errors import KaikuError
from kaiku.metrics import signal

RATE = 16000


def noise(samples=RATE, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples)


def scaled_to(db, reference, disturbance):
    """The disturbance made orthogonal to the reference and `db` below it."""
    disturbance = disturbance - (disturbance @ reference) / (reference @ reference) * reference
    return disturbance * np.sqrt((reference @ reference) / (disturbance @ disturbance)) * 10 ** (-db / 20)


@pytest.mark.parametrize("lag", [-700, -1, 0, 1, 8, 640])
def test_align_removes_the_lag(lag):
    wav = noise()
    late = np.concatenate([np.zeros(max(lag, 0)), wav])[max(-lag, 0) :]
    assert signal.find_lag(wav, late) == lag
    reference, estimate = signal.align(wav, late)
    assert len(reference) == len(estimate) == RATE - max(-lag, 0)
    assert np.array_equal(reference, estimate)


def test_align_searches_no_further_than_told():
    late = np.concatenate([np.zeros(300), noise()])
    assert signal.find_lag(noise(), late, max_lag=300) == 300
    assert abs(signal.find_lag(noise(), late, max_lag=299)) <= 299


def test_silence_lies_where_it_is():
    assert signal.find_lag(np.zeros(100), np.zeros(100)) == 0


def test_signals_shorter_than_the_search():
    assert signal.find_lag(np.array([0.0, 1.0]), np.array([1.0])) == -1


@pytest.mark.parametrize("db", [-10.0, 0.5, 6.0, 40.0])
def test_snr_of_noise_at_a_known_level(db):
    wav = noise()
    assert signal.snr_db(wav, wav + scaled_to(db, wav, noise(seed=1)), max_lag=0) == pytest.approx(db, abs=1e-6)


def test_snr_after_a_lag_is_snr():
    wav = noise()
    disturbed = wav + scaled_to(12, wav, noise(seed=1))
    late = np.concatenate([np.zeros(640), disturbed])
    assert signal.snr_db(wav, late) == pytest.approx(12, abs=1e-6)
    assert signal.snr_db(wav, late, max_lag=0) < 0


def test_snr_counts_gain_as_noise_and_si_sdr_does_not():
    wav = noise()
    assert signal.snr_db(wav, 0.5 * wav) == pytest.approx(20 * np.log10(2), abs=1e-6)
    disturbed = wav + scaled_to(9, wav, noise(seed=1))
    assert signal.si_sdr_db(wav, disturbed) == pytest.approx(9, abs=1e-6)
    assert signal.si_sdr_db(wav, 0.1 * disturbed) == pytest.approx(9, abs=1e-6)


def test_extremes_are_finite_numbers():
    wav = noise()
    assert signal.snr_db(wav, wav) == 100
    assert signal.si_sdr_db(wav, np.zeros_like(wav)) == -100
    assert signal.snr_db(wav, np.zeros_like(wav)) == 0


def test_a_silent_reference_is_not_measurable():
    assert signal.snr_db(np.zeros(100), noise(100)) is None
    assert signal.si_sdr_db(np.zeros(100), noise(100)) is None


def test_stoi_falls_with_noise():
    wav = noise(2 * RATE) * (1 + np.sin(2 * np.pi * 4 * np.arange(2 * RATE) / RATE))
    values = [signal.stoi(wav, wav + scaled_to(db, wav, noise(2 * RATE, 1)), RATE) for db in (30, 5, -10)]
    assert signal.stoi(wav, wav, RATE) == pytest.approx(1, abs=1e-6)
    assert 1 > values[0] > 0.95 > values[1] > values[2] + 0.1


def test_stoi_of_too_little_speech_is_not_measurable():
    assert signal.stoi(noise(2000), noise(2000), RATE) is None


def test_mel_distance_of_a_gain_is_its_logarithm():
    wav = noise()
    assert signal.mel_distance(wav, wav, RATE) == 0
    assert signal.mel_distance(wav, 0.1 * wav, RATE) == pytest.approx(1, abs=1e-6)
    assert signal.mel_distance(wav, 2 * wav, RATE) == pytest.approx(np.log10(2), abs=1e-6)


def test_mel_distance_is_bounded_by_the_floor():
    distance = signal.mel_distance(noise(), np.zeros(RATE), RATE)
    assert 2 < distance < 5


def test_mel_filters_are_means_in_rising_order():
    filters = signal.mel_filters(RATE)
    assert filters.shape == (513, 80)
    assert np.allclose(filters.sum(axis=0), 1)
    frequencies = np.arange(513) @ filters * RATE / 1024
    assert (np.diff(frequencies) > 0).all()
    mels = 2595 * np.log10(1 + frequencies / 700)
    assert np.diff(mels)[20:].std() < 3


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 50)), np.array([0.0, np.nan])])
def test_what_is_no_mono_signal_is_refused(bad):
    for measure in (signal.snr_db, signal.si_sdr_db):
        with pytest.raises(KaikuError, match="mono audio"):
            measure(bad, noise(50))
        with pytest.raises(KaikuError, match="estimate"):
            measure(noise(50), bad)
