"""Resampling: streamed equals whole, bit for bit, and a tone stays where it was."""

import numpy as np
import pytest

from kaiku.audio.resample import StreamResampler, resample, resample_for


@pytest.mark.parametrize("from_rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("block", [1, 777, 65_536])
def test_a_stream_gives_the_bits_of_the_whole(from_rate, block):
    samples = np.random.default_rng(2).standard_normal(5_000 if block == 1 else 100_001).astype(np.float32)
    stream = StreamResampler(from_rate, 16_000)
    parts = [stream.push(samples[k : k + block]) for k in range(0, len(samples), block)]
    streamed = np.concatenate([*parts, stream.finish()])
    assert streamed.dtype == np.float32
    assert np.array_equal(streamed, resample(samples, from_rate, 16_000))
    assert abs(len(streamed) - len(samples) * 16_000 / from_rate) <= 1


def test_a_tone_keeps_frequency_level_and_place():
    t = np.arange(48_000) / 48_000
    low = resample(np.sin(2 * np.pi * 440 * t).astype(np.float32), 48_000, 16_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(low - expected)[400:-400].max() < 1e-4


def test_what_lies_above_the_new_band_goes():
    t = np.arange(48_000) / 48_000
    low = resample(np.sin(2 * np.pi * 12_000 * t).astype(np.float32), 48_000, 16_000)
    assert np.abs(low)[400:-400].max() < 1e-4


def test_equal_rates_change_nothing():
    samples = np.ones(10, np.float32)
    stream = StreamResampler(16_000, 16_000)
    assert resample(samples, 16_000, 16_000) is samples
    assert np.array_equal(stream.push(samples), samples)
    assert len(stream.finish()) == 0


def test_a_model_may_bring_its_own_resampler():
    class Plain:
        sample_rate = 8000

    class Own(Plain):
        def resample(self, samples, from_rate):
            return samples[: from_rate // 1000]

    samples = np.sin(np.arange(1600, dtype=np.float32))
    assert np.array_equal(resample_for(Plain(), samples, 16000), resample(samples, 16000, 8000))
    assert len(resample_for(Own(), samples, 16000)) == 16
