import numpy as np
import pytest
from libav_files import encode_by_libav

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

    def write_file(name, samples, rate=RATE, codec=None, container=None, begins_s=0, picture_s=0, **options):
        path = tmp_path / name
        if codec is None:
            import soundfile

            soundfile.write(path, samples, rate, **options)
        else:
            encode_by_libav(path, samples, rate, codec, container, options, begins_s, picture_s)
        return path

    return write_file
