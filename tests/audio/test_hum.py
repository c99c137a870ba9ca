"""Hum: found where there is some, at its own frequency, whatever the blocks; taken out by notches, and little else."""

import numpy as np
import pytest
from synthetic_voice import RATE, recording, voice

from kaiku.audio.flac import decode_flac
from kaiku.audio.hum import FRAME, HOP, MOST_FRAMES, HumMeter
from kaiku.audio.notch import Notch
from kaiku.audio.segmentation import Segmentation, SegmentSettings

LIMIT_DB = 13
NOTCHING = SegmentSettings(mode="vad", notch_hum=True)


def hum(n, base_hz, harmonics=(1, 2, 3), level=0.006, rate=RATE):
    t = np.arange(n) / rate
    return sum(level / k * np.sin(2 * np.pi * k * base_hz * t + k) for k in harmonics).astype(np.float32)


def background(seconds, seed=0):
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 3e-4).astype(np.float32)


def measured(samples, spans=(), block=4000):
    """What a meter makes of samples with spans of speech, given block by block."""
    meter, spans = HumMeter(LIMIT_DB), list(spans)
    for at in range(0, len(samples), block):
        meter.push(samples[at : at + block])
        heard = min(at + block, len(samples))
        while spans and spans[0][1] <= heard:
            meter.speech(*spans.pop(0))
        meter.advance(min(heard, spans[0][0]) if spans else heard)
    return meter.finish()


@pytest.mark.parametrize("base_hz", [50, 60, 49.9, 59.87])
def test_hum_is_found_at_its_frequency(base_hz):
    found = measured(background(5) + hum(5 * RATE, base_hz))
    assert found.mains_hz == round(base_hz, -1)
    assert found.score_db > 20
    assert found.is_above(LIMIT_DB)
    assert found.harmonics == pytest.approx([base_hz, 2 * base_hz, 3 * base_hz], abs=0.05)


def test_only_harmonics_that_stand_out_are_named():
    found = measured(background(5) + hum(5 * RATE, 50, harmonics=(1, 4, 6)))
    assert [round(hz) for hz in found.harmonics] == [50, 200, 300]
    assert found.named.count(",") == 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_hum(seed):
    found = measured(background(4, seed))
    assert found.score_db < 10
    assert not found.is_above(LIMIT_DB)
    assert found.harmonics == ()


def test_digital_silence_is_no_background():
    silence, humming = np.zeros(9 * RATE, np.float32), background(3) + hum(3 * RATE, 50)
    assert measured(silence) is None
    assert measured(silence + np.float32(1e-6)) is None, "a decoder's rounding"
    assert measured(np.concatenate([silence, humming[:RATE]])).mains_hz == 50
    assert measured(np.concatenate([silence, humming, silence])).score_db > 20
    assert measured(np.concatenate([silence, humming[: RATE // 4], silence])) is None


def test_without_a_second_of_background_there_is_no_figure():
    samples = background(3)
    assert measured(samples, [(RATE, 3 * RATE)]) is None  # 1 s less the guard
    assert measured(samples, [(RATE + 1000, 3 * RATE)]) is not None
    assert measured(samples[:FRAME]) is None
    assert HumMeter(LIMIT_DB).finish() is None


def test_what_is_said_is_not_measured():
    """A voice that holds a note on a harmonic of the mains, and a background that does not hum."""
    samples = background(6)
    samples[RATE : 5 * RATE] += hum(4 * RATE, 50, level=0.3)
    spans = [(RATE, 5 * RATE)]
    assert measured(samples).score_db > measured(samples, spans).score_db + 10
    assert measured(samples, spans).harmonics == ()


@pytest.mark.parametrize("block", [137, 8000, 65_536])
def test_blocks_change_no_figure(block):
    samples = background(20) + hum(20 * RATE, 60)
    spans = [(RATE, 4 * RATE), (5 * RATE, 9 * RATE), (9 * RATE, 12 * RATE), (14 * RATE, 14 * RATE + 5000)]
    assert measured(samples, spans, block) == measured(samples, spans, 4000)


def test_memory_does_not_grow_with_the_background():
    meter, second = HumMeter(LIMIT_DB), background(1) + hum(RATE, 50)
    for k in range(400):
        meter.push(second)
        meter.advance((k + 1) * RATE)
        assert len(meter._samples) <= FRAME + HOP + RATE
        assert len(meter._spectra) < MOST_FRAMES
    assert meter._stride == 8
    assert meter.finish().mains_hz == 50


def test_a_notch_takes_its_frequency_out_and_leaves_the_rest():
    n = 10 * RATE
    t = np.arange(n) / RATE
    tone, rest = np.sin(2 * np.pi * 60 * t), np.sin(2 * np.pi * 66 * t) + np.sin(2 * np.pi * 1000 * t)
    settled = slice(3 * RATE, None)
    assert np.abs(Notch(RATE, (60,), 60).push(tone.astype(np.float32))[settled]).max() < 1e-3
    kept = Notch(RATE, (60,), 60).push(rest.astype(np.float32))
    assert np.std(kept[settled]) == pytest.approx(np.std(rest[settled]), rel=0.01)


@pytest.mark.parametrize("block", [1, 999, 65_536])
def test_blocks_change_no_bit_of_what_is_filtered(block):
    samples = voice(1, seed=3)
    whole, pieces = Notch(RATE, (50, 100), 60), Notch(RATE, (50, 100), 60)
    streamed = [pieces.push(samples[at : at + block]) for at in range(0, len(samples), block)]
    assert np.array_equal(np.concatenate(streamed), whole.push(samples))


def test_frequencies_above_half_the_rate_are_left_alone():
    samples = voice(0.1)
    assert np.array_equal(Notch(500, (300,), 60).push(samples), samples)


def test_clips_of_a_humming_recording_are_filtered(write):
    clean = recording(-1, 3, -0.8, 2, -1.2, 3, -1) + background(12)
    humming = clean + hum(len(clean), 60)
    work = Segmentation(write("a.wav", humming, RATE, subtype="FLOAT"), NOTCHING, Notch)
    clips = list(work)
    assert work.treatment.startswith("notch ") and work.treatment.endswith(" Hz")
    assert [round(hz) for hz in work.hum.harmonics] == [60, 120, 180]
    plain = list(Segmentation(work.path, SegmentSettings(mode="vad")))
    assert [(clip.start, clip.end) for clip in clips] == [(clip.start, clip.end) for clip in plain]
    assert len(clips) == 3
    gaps = [slice(clip.start, clip.start + 1600) for clip in clips]  # in the margin: no speech
    for clip, gap in zip(clips, gaps):
        filtered, _ = decode_flac(clip.flac)
        error = filtered - clean[clip.start : clip.end]
        assert np.std(error) < 0.2 * np.std(
            clean[clip.start : clip.end]
        )  # -14 dB: what the voice has there is gone too
        assert np.std(filtered[:1600]) < 0.3 * np.std(humming[gap])


def test_clips_of_a_recording_without_hum_are_as_they_were(write):
    path = write("a.wav", recording(-1, 3, -0.8, 2, -1) + background(7.8), RATE)
    work = Segmentation(path, NOTCHING, Notch)
    assert list(work) == list(Segmentation(path, SegmentSettings(mode="vad")))
    assert work.treatment == ""
    assert work.hum is not None and work.hum.harmonics == ()


def test_a_lossless_clip_is_referred_to_unless_it_hums(write):
    settings = SegmentSettings(mode="identity", notch_hum=True)
    clean = recording(-1, 2, -1) + background(4)
    (clip,) = Segmentation(write("clean.wav", clean, RATE), settings, Notch)
    assert clip.flac is None
    humming = Segmentation(write("hum.wav", clean + hum(len(clean), 50), RATE), settings, Notch)
    (clip,) = humming
    assert clip.flac is not None and (clip.start, clip.end) == (0, len(clean))
    assert humming.treatment.startswith("notch ")
    (clip,) = Segmentation(humming.path, SegmentSettings(mode="identity"))
    assert clip.flac is None


def test_a_notch_is_needed_where_it_is_asked_for(write):
    with pytest.raises(ValueError, match="needs a notch"):
        Segmentation(write("a.wav", background(1), RATE), NOTCHING)
