from fractions import Fraction

import numpy as np
import pytest

RATE = 48_000


@pytest.fixture
def tone():
    """Three seconds of a stereo tone over noise, float32 [samples, 2]."""
    t = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(1).standard_normal((len(t), 2)) * 0.01
    return (0.4 * np.sin(2 * np.pi * 330 * t)[:, None] * [1, 0.5] + noise).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    """write(name, samples, **options) -> path: by libsndfile, or by libav where a codec is named."""

    def write_file(name, samples, rate=RATE, codec=None, container=None, **options):
        path = tmp_path / name
        if codec is None:
            import soundfile

            soundfile.write(path, samples, rate, **options)
        else:
            encode_by_libav(path, samples, rate, codec, container, options)
        return path

    return write_file


def encode_by_libav(path, samples, rate, codec, container, options):
    import av

    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1] if samples.ndim == 2 else 1]
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.atleast_2d(samples.T)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)  # without: no word of encoder delay
        fit = av.AudioResampler(stream.format.name, layout, rate, frame_size=stream.codec_context.frame_size or None)
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
