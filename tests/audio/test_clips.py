"""A clip's FLAC is exact and repeatable; what checks share is computed once."""

import numpy as np
import pytest
from synthetic_voice import recording

from kaiku.audio import vad
from kaiku.audio.clips import ClipAudio, rms_db
from kaiku.audio.flac import decode_flac, encode_flac
from kaiku.errors import DecodeError


@pytest.mark.parametrize(("subtype", "steps"), [("PCM_16", 1 << 15), ("PCM_24", 1 << 23)])
def test_integers_come_back_exactly(subtype, steps):
    levels = np.concatenate([np.random.default_rng(0).integers(-steps, steps, 10_000), [-steps, steps - 1, 0]])
    samples = (levels / steps).astype(np.float32)
    flac = encode_flac(samples, 44_100, subtype)
    assert flac == encode_flac(samples, 44_100, subtype)
    decoded, sample_rate = decode_flac(flac)
    assert sample_rate == 44_100
    assert np.array_equal(decoded, samples)


def test_full_scale_saturates_by_one_step():
    decoded, _ = decode_flac(encode_flac(np.array([1.0, -1.0], np.float32), 16_000))
    assert decoded.tolist() == [32767 / 32768, -1.0]


def test_cut_off_flac_is_refused():
    flac = encode_flac(np.random.default_rng(0).uniform(-1, 1, 50_000).astype(np.float32), 16_000)
    with pytest.raises(DecodeError, match="FLAC of 20000 bytes"):
        decode_flac(flac[:20_000])


def test_rms_db():
    assert rms_db(np.full(100, 0.1, np.float32)) == pytest.approx(-20)
    assert rms_db(np.zeros(100, np.float32)) is None
    assert rms_db(np.zeros(0, np.float32)) is None


def test_speech_is_found_once_and_shared(monkeypatch):
    calls = []
    original = vad.speech_spans
    monkeypatch.setattr(vad, "speech_spans", lambda *args: calls.append(args) or original(*args))
    clip = ClipAudio(recording(-0.5, 1.5, -0.5, sample_rate=48_000), 48_000)
    assert clip.duration_s == 2.5
    assert len(clip.samples_16k) == 40_000
    assert clip.speech == clip.speech
    assert len(clip.speech) == len(calls) == 1
