"""What every codec promises, proven on the tiny one of each module in kaiku.codecs."""

import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import kaiku.codecs
from kaiku.errors import CorruptFile, KaikuError

MODULES = [f"kaiku.codecs.{found.name}" for found in pkgutil.iter_modules(kaiku.codecs.__path__)]


@pytest.fixture(scope="module", params=MODULES)
def plugin(request):
    module = importlib.import_module(request.param)
    if not hasattr(module, "tiny"):
        pytest.fail(f"{request.param} is no codec: every module here must have tiny()")
    return module


@pytest.fixture(scope="module")
def folder(plugin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("codec") / "tiny"
    plugin.tiny(folder)
    return folder


@pytest.fixture(scope="module")
def codec(plugin, folder):
    return plugin.load(plugin.Settings(), folder)


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def lengths(codec):
    return [1, codec.hop - 1, codec.hop, codec.hop + 1, 5 * codec.hop // 2]


def test_settings_come_without_heavy_libraries():
    heavy = {"torch", "transformers", "av", "soundfile", "librosa", "scipy", "pandas"}
    program = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert set(MODULES) <= loaded
    assert heavy & loaded == set()


def test_tiny_returns_what_load_reads_back(plugin, codec, tmp_path):
    made = plugin.tiny(tmp_path / "again")
    assert made.digest == codec.digest
    wav = noise(3 * codec.hop)
    assert np.array_equal(made.encode(wav), codec.encode(wav))


def test_says_what_it_is(plugin, codec):
    assert codec.name == plugin.__name__.rpartition(".")[2]
    assert isinstance(codec.digest, str) and len(codec.digest) >= 32
    assert codec.sample_rate > 0 and codec.hop > 0
    assert all(1 < size <= 65536 for size in codec.codebook_sizes)
    assert isinstance(codec.codebook_sizes, tuple)
    assert codec.streams in (True, False) and codec.decodes in (True, False)


def test_encode_gives_whole_frames_of_codes_in_range(codec):
    for samples in lengths(codec):
        codes = codec.encode(noise(samples))
        assert codes.dtype == np.uint16
        assert codes.shape == (-(-samples // codec.hop), len(codec.codebook_sizes))
        assert (codes < np.array(codec.codebook_sizes)).all()


def test_codes_depend_on_the_clip(codec):
    assert not np.array_equal(codec.encode(noise(4 * codec.hop, 1)), codec.encode(noise(4 * codec.hop, 2)))


def test_encode_keeps_no_state(plugin, folder, codec):
    clips = [noise(samples, seed) for seed, samples in enumerate(lengths(codec))]
    in_turn = [codec.encode(wav) for wav in clips]
    backwards = [codec.encode(wav) for wav in reversed(clips)][::-1]
    alone = [plugin.load(plugin.Settings(), folder).encode(wav) for wav in clips[-2:]]
    assert all(np.array_equal(a, b) for a, b in zip(in_turn, backwards, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(in_turn[-2:], alone, strict=True))


def test_encode_leaves_its_input_alone(codec):
    wav = noise(2 * codec.hop)
    before = wav.copy()
    codec.encode(wav)
    assert np.array_equal(wav, before)


def test_decode_gives_a_hop_per_frame(codec):
    if not codec.decodes:
        pytest.skip("does not decode")
    for samples in lengths(codec):
        codes = codec.encode(noise(samples))
        wav = codec.decode(codes)
        assert wav.dtype == np.float32
        assert wav.shape == (len(codes) * codec.hop,)
        assert np.isfinite(wav).all()
        assert np.array_equal(wav, codec.decode(codes))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_audio_that_is_not_finite_is_refused(codec, value):
    wav = noise(2 * codec.hop)
    wav[7] = value
    with pytest.raises(KaikuError, match="sample 7"):
        codec.encode(wav)


@pytest.mark.parametrize("shape", [(0,), (2, 4000), (4000, 2), ()])
def test_audio_that_is_no_mono_clip_is_refused(codec, shape):
    with pytest.raises(KaikuError, match="mono"):
        codec.encode(np.zeros(shape, np.float32))


def test_integer_audio_is_refused(codec):
    with pytest.raises(KaikuError, match="int16"):
        codec.encode(np.ones(2 * codec.hop, np.int16))


def test_codes_of_another_codec_are_refused(codec):
    if not codec.decodes:
        pytest.skip("does not decode")
    right = codec.encode(noise(2 * codec.hop))
    too_high = right.copy()
    too_high[1, 0] = codec.codebook_sizes[0]
    for wrong in (too_high, right[:, :-1], right[:0], right.astype(np.float32)):
        with pytest.raises(CorruptFile):
            codec.decode(wrong)


def test_a_folder_without_a_codec_is_refused(plugin, tmp_path):
    with pytest.raises(KaikuError):
        plugin.load(plugin.Settings(), tmp_path)


def test_a_gpu_that_is_insisted_on_is_not_replaced(plugin, folder, monkeypatch):
    if "device" not in plugin.Settings.model_fields:
        pytest.skip("it has no choice of a device")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(KaikuError, match=r"`device: cuda`, but torch .* finds no GPU"):
        plugin.load(plugin.Settings(device="cuda"), folder)


def test_decoder_weights_leave_digest_and_codes_alone(plugin, codec, tmp_path):
    if not codec.decodes:
        pytest.skip("does not decode")
    changed = reload_with_changed(plugin, "decoder", tmp_path)
    wav = noise(6 * codec.hop)
    codes = codec.encode(wav)
    assert changed.digest == codec.digest
    assert np.array_equal(changed.encode(wav), codes)
    assert not np.array_equal(changed.decode(codes), codec.decode(codes))


def test_encoder_weights_change_the_digest(plugin, codec, tmp_path):
    assert reload_with_changed(plugin, "encoder", tmp_path).digest != codec.digest


def test_stream_gives_the_codes_of_encode(codec):
    if not codec.streams:
        pytest.skip("does not stream")
    wav = np.stack([noise(40 * codec.hop, seed) for seed in range(2)])
    live = codec.stream(slots=2)
    codes = np.concatenate([live.encoder.step(chunk) for chunk in chunks(wav, codec.hop)], axis=1)
    assert codes.dtype == np.uint16
    for slot in range(2):
        assert np.array_equal(codes[slot], codec.encode(wav[slot]))


def test_stream_gives_the_audio_of_decode(codec):
    if not codec.streams:
        pytest.skip("does not stream")
    codes = np.stack([codec.encode(noise(40 * codec.hop, seed)) for seed in range(2)])
    live = codec.stream(slots=2)
    wav = np.concatenate([live.decoder.step(chunk) for chunk in chunks(codes, 1)], axis=1)
    for slot in range(2):
        assert np.abs(wav[slot] - codec.decode(codes[slot])).max() < 1e-5


def test_reset_begins_a_slot_anew_and_no_other(codec):
    if not codec.streams:
        pytest.skip("does not stream")
    first, second = (noise(4 * codec.hop, seed)[None].repeat(2, axis=0) for seed in (1, 2))
    live = codec.stream(slots=2)
    live.decoder.step(live.encoder.step(first))
    live.reset(1)
    codes = live.encoder.step(second)
    wav = live.decoder.step(codes)
    assert np.array_equal(codes[1], codec.encode(second[1]))
    assert np.abs(wav[1] - codec.decode(codes[1])).max() < 1e-5
    whole = codec.encode(np.concatenate([first[0], second[0]]))
    assert np.array_equal(codes[0], whole[4:])
    assert np.abs(wav[0] - codec.decode(whole)[4 * codec.hop :]).max() < 1e-5


def chunks(rows, unit):
    """A stream `[slots, frames * unit, ...]` in chunks of 1, 2, 3, 1, 2, 3, ... frames."""
    start, frames = 0, 1
    while start < rows.shape[1]:
        yield rows[:, start : start + frames * unit]
        start += frames * unit
        frames = frames % 3 + 1


def reload_with_changed(plugin, part, folder):
    """A fresh tiny codec, loaded after all tensors of its encoder or decoder were changed on disk."""
    plugin.tiny(folder)
    changed = 0
    for path in sorted(folder.rglob("*.safetensors")):
        tensors = load_file(path)
        changed += shift(tensors, "" if path.stem == part else f"{part}.", only=path.stem in (part, "model"))
        save_file(tensors, path, metadata={"format": "pt"})
    for path in sorted(folder.rglob("*.pth")):
        tensors = torch.load(path, weights_only=True)
        changed += shift(tensors, f"{part}.", only=True)
        torch.save(tensors, path)
    assert changed > 0
    return plugin.load(plugin.Settings(), folder)


def shift(tensors, prefix, *, only):
    names = [name for name in tensors if only and name.startswith(prefix) and tensors[name].is_floating_point()]
    for name in names:
        tensors[name] = tensors[name] + 0.01
    return len(names)
