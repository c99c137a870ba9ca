"""Codec figures of codes that can be counted, and of a real codec."""

import math

import numpy as np
import pytest

from kaiku.codecs import env
from kaiku.errors import KaikuError
from kaiku.metrics.codec import code_figures, codec_figures


class Halver:
    """A codec that keeps every sample and halves the level; 100 frames a second of one code for its sign."""

    sample_rate, hop, codebook_sizes, decodes = 16_000, 160, (2, 8), True

    def encode(self, wav):
        self.wav = wav
        return np.zeros((len(wav) // self.hop, 2), np.uint16)

    def decode(self, codes):
        return self.wav / 2


def test_bits_and_use_of_counted_codes():
    # Level 0 uses 2 of 2 codes equally: 1 bit. Level 1 uses 2 of 8, in 4 frames at most 4: codes 0 (3 times) and 5.
    figures = code_figures(Halver(), [np.array([[0, 0], [1, 0]], np.uint16), np.array([[0, 0], [1, 5]], np.uint16)])
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert figures["bitrate"]["value"] == 400.0
    assert figures["entropy_rate"]["value"] == pytest.approx(100 * (1 + entropy), abs=1e-3)
    assert figures["perplexity"]["levels"] == pytest.approx([2.0, 2**entropy], abs=1e-4)
    assert figures["codes_used"]["levels"] == [1.0, 0.5]


def test_halved_level_is_6_db():
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
    figures = codec_figures(Halver(), [noise])
    assert figures["snr_db"]["value"] == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert figures["si_sdr_db"]["value"] > 60
    assert figures["mel_distance"]["value"] == pytest.approx(math.log10(2), abs=1e-2)
    assert figures["codes_used"]["value"] == pytest.approx((1 / 2 + 1 / 8) / 2)


def test_a_real_codec_and_a_codec_that_cannot_decode(tmp_path):
    codec = env.tiny(tmp_path)
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
    figures = codec_figures(codec, [noise])
    assert figures["bitrate"]["value"] == 25 * 3 * 7
    assert all(figure["value"] is not None for figure in figures.values())
    mute = Halver()
    mute.decodes = False
    assert codec_figures(mute, [noise])["stoi"]["why"] == "not measured: this codec does not decode"
    with pytest.raises(KaikuError, match="No clip"):
        codec_figures(codec, [])
