"""Mimi beyond the common contract: what of a checkpoint decides the codes, and checkpoints that are none."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from kaiku.codecs import mimi
from kaiku.errors import CorruptFile, KaikuError

WAV = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_fewer_codebooks_are_the_first_ones(tmp_path):
    full = mimi.tiny(tmp_path)
    part = mimi.load(mimi.Settings(codebooks=3), tmp_path)
    assert part.codebook_sizes == (32, 32, 32)
    assert np.array_equal(part.encode(WAV), full.encode(WAV)[:, :3])
    assert part.digest != full.digest


def test_more_codebooks_than_there_are_is_refused(tmp_path):
    mimi.tiny(tmp_path)
    with pytest.raises(KaikuError, match=r"8 codebooks.*at least 16"):
        mimi.load(mimi.Settings(codebooks=16), tmp_path)


def test_hop_and_rate_are_mimis_own(tmp_path):
    codec = mimi.tiny(tmp_path)
    assert (codec.sample_rate, codec.hop) == (24000, 1920)


def test_right_padding_is_all_that_fills_a_frame(tmp_path):
    codec = mimi.tiny(tmp_path)
    assert np.array_equal(codec.encode(WAV), codec.encode(np.pad(WAV, (0, 5 * 1920 - len(WAV)))))


def test_what_transformers_notes_of_a_file_is_not_the_codec(tmp_path):
    digest = mimi.tiny(tmp_path).digest
    edit_config(tmp_path, transformers_version="4.0.0", torch_dtype="float32")
    assert mimi.load(mimi.Settings(), tmp_path).digest == digest
    edit_config(tmp_path, sliding_window=100)
    assert mimi.load(mimi.Settings(), tmp_path).digest != digest


def test_another_model_is_refused(tmp_path):
    mimi.tiny(tmp_path)
    edit_config(tmp_path, model_type="encodec")
    with pytest.raises(KaikuError, match="type 'encodec'"):
        mimi.load(mimi.Settings(), tmp_path)


def test_a_missing_tensor_is_never_made_up(tmp_path):
    mimi.tiny(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.layers.0.conv.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match="1 tensors missing"):
        mimi.load(mimi.Settings(), tmp_path)


def test_half_a_file_is_refused(tmp_path):
    mimi.tiny(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CorruptFile, match="whole Mimi"):
        mimi.load(mimi.Settings(), tmp_path)
