"""What is remembered of codecs and noises is asked again as soon as a file is another one."""

import os
from types import SimpleNamespace

import pytest

from kaiku import loading
from kaiku.sections import CodecSettings
from kaiku.store import digest


@pytest.fixture
def loads(monkeypatch, tmp_path):
    """Devices that a codec was loaded on, in order; its digest is that of its folder."""
    monkeypatch.chdir(tmp_path)
    found = []

    def load_codec(own, folder):
        found.append(own.options.get("device"))
        return SimpleNamespace(digest=digest.of_tree(folder), codebook_sizes=(8,), hop=320, sample_rate=16000)

    monkeypatch.setattr(loading, "load_codec", load_codec)
    return found


def written(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def overwrite(path, content):
    """Another content of the same length, under the times that the file had."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_codec_is_loaded_once_on_the_cpu_wherever_it_is_to_run(tmp_path, loads):
    written(tmp_path / "codec/model.safetensors", b"weights")
    options = ({}, {"device": "cpu"}, {"device": "cuda"}, {"device": "auto"})
    codecs = [CodecSettings(kind="mimi", base="b", options=own) for own in options]
    assert len({loading.codec_identity(own, tmp_path / "codec") for own in codecs}) == 1 and loads == ["cpu"]
    loading.codec_identity(CodecSettings(kind="mimi", base="b", options={"codebooks": 4}), tmp_path / "codec")
    assert loads == ["cpu", "cpu"]


def test_an_edit_of_a_codec_is_seen_though_size_and_time_are_as_they_were(tmp_path, loads):
    own, file = CodecSettings(kind="env", base="b"), written(tmp_path / "codec/encoder.safetensors", b"weights")
    first = loading.codec_identity(own, tmp_path / "codec")
    overwrite(file, b"WEIGHTS")
    assert loading.codec_identity(own, tmp_path / "codec").digest != first.digest and len(loads) == 2


def test_an_edit_of_a_noise_is_seen_though_size_and_time_are_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path / "noises/rain.wav", b"noise")
    first = loading.noise_digests(tmp_path / "noises")
    assert loading.noise_digests(tmp_path / "noises") == first == {digest.of_bytes(b"noise"): file}
    overwrite(file, b"NOISE")
    assert loading.noise_digests(tmp_path / "noises") == {digest.of_bytes(b"NOISE"): file}
