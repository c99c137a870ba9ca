"""Alignment by hand and against librosa; retrieval on chirps that each have a shape of their own."""

import librosa
import numpy as np
import pytest

from kaiku.metrics.retrieval import BANDS, dtw_distance, features, length_ratio, retrieve

RATE = 16_000


def frames(*values):
    return np.array(values, np.float32)[:, None]


def test_distance_counted_by_hand():
    assert dtw_distance(frames(0, 1, 2), frames(0, 1, 2)) == 0.0
    # Start (0,0) costs 0; one step (1,2) to the end costs 1.5 * |2 - 3|; over 5 frames, times 2.
    assert dtw_distance(frames(0, 2), frames(0, 9, 3)) == pytest.approx(1.5 / 5 * 2)
    assert dtw_distance(frames(0, 9, 3), frames(0, 2)) == pytest.approx(1.5 / 5 * 2)


def test_over_twice_as_long_cannot_be_aligned():
    assert dtw_distance(frames(0, 0), frames(0, 0, 0, 0)) == np.inf
    assert dtw_distance(np.zeros((0, 1)), frames(0)) == np.inf


def test_distance_is_that_of_librosa():
    rng = np.random.default_rng(0)
    for rows, columns in [(20, 20), (20, 31), (33, 19)]:
        a, b = rng.standard_normal((rows, 5)), rng.standard_normal((columns, 5))
        total = librosa.sequence.dtw(
            a.T,
            b.T,
            step_sizes_sigma=np.array([[1, 1], [1, 2], [2, 1]]),
            weights_mul=np.array([1.0, 1.5, 1.5]),
            backtrack=False,
        )
        assert dtw_distance(a, b) == pytest.approx(total[-1, -1] / (rows + columns) * 2, rel=1e-12)


def chirp(route_hz, seconds, rate=RATE, noise=0.0):
    """A tone that glides along a route of frequencies."""
    time = np.arange(int(seconds * rate)) / rate
    hz = np.interp(time / seconds, np.linspace(0, 1, len(route_hz)), route_hz)
    tone = 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / rate)
    return (tone + noise * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)


ROUTES = [(300, 3000), (3000, 300), (300, 3000, 300), (3000, 300, 3000), (500, 500, 5000), (5000, 1000, 1000)]


def test_features_have_no_level_and_one_frame_per_20_ms():
    quiet, loud = features(0.1 * chirp(ROUTES[0], 1.0), RATE), features(chirp(ROUTES[0], 1.0), RATE)
    assert quiet.shape == (51, BANDS)
    np.testing.assert_allclose(quiet, loud, atol=1e-3)
    np.testing.assert_allclose(loud.mean(axis=0), 0, atol=1e-4)
    assert features(np.zeros(0, np.float32), RATE).shape == (0, BANDS)


def test_each_chirp_finds_its_own_at_another_speed_noise_and_rate():
    candidates = [features(chirp(route, 1.0), RATE) for route in ROUTES]
    generated = [features(chirp(route, 1.25, 24_000, noise=0.01), 24_000) for route in ROUTES]
    matches = retrieve(generated, candidates, range(len(ROUTES)))
    assert [match.rank for match in matches] == [1] * len(ROUTES)
    assert all(match.margin > 0 and match.candidates == len(ROUTES) for match in matches)


def test_wrong_and_hopeless_speech_is_no_hit():
    candidates = [features(chirp(route, 1.0), RATE) for route in ROUTES]
    swapped, twin, too_long = retrieve(
        [candidates[1], candidates[0], features(chirp(ROUTES[0], 2.5), RATE)],
        [candidates[0], *candidates],
        [1, 1, 1],
    )
    assert not swapped.found and swapped.margin < 0
    assert twin.rank == 2, "a tie is no hit"
    assert too_long.rank == len(candidates) + 1
    assert too_long.own_distance is None and too_long.margin is None


def test_length_ratio():
    assert length_ratio(30, 40) == 0.75
