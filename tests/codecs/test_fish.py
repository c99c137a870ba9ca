"""The fish codec against upstream's recorded inputs and outputs, and against its own promises."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kaiku.codecs import fish
from kaiku.codecs.fish.checkpoint import expected_shapes, read_checkpoint
from kaiku.codecs.fish.codec import FishCodec, Network
from kaiku.codecs.fish.encoding import encoder_digest
from kaiku.codecs.fish.resample import polyphase_kernels, resample
from kaiku.codecs.fish.sizes import CONFIG, TINY, Sizes, read_sizes, write_sizes
from kaiku.codecs.fish.transformer import rotary_table, visible, windowed_attention
from kaiku.errors import CorruptFile, KaikuError
from kaiku.exact import exact_fp32
from kaiku.store.code import closure, libraries

FIXTURES = Path(__file__).parents[1] / "fixtures" / "fish" / "codec"
CPU = fish.Settings(device="cpu")


@pytest.fixture(scope="module")
def codec() -> FishCodec:
    return fish.load(CPU, FIXTURES)


@pytest.fixture(scope="module")
def upstream() -> dict[str, np.ndarray]:
    with np.load(FIXTURES / "codec_ref.npz") as recorded:
        return dict(recorded)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return torch.load(FIXTURES / "codec.pth", weights_only=True)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


# --- parity with upstream ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [1, 2])
def test_codes_equal_upstreams(codec, upstream, clip):
    codes = codec.encode(upstream[f"audio{clip}"])
    assert codes.dtype == np.uint16 and codes.flags.c_contiguous
    np.testing.assert_array_equal(codes, upstream[f"codes{clip}"][0].T)


@pytest.mark.parametrize("clip", [1, 2])
def test_sound_equals_upstreams(codec, upstream, clip):
    wav = codec.decode(upstream[f"codes{clip}"][0].T.astype(np.uint16))
    assert wav.dtype == np.float32
    np.testing.assert_allclose(wav, upstream[f"decoded{clip}"][0, 0], rtol=0, atol=5e-5)


def test_latents_equal_upstreams(codec, upstream):
    batch = torch.zeros(2, 1, 13 * 2048)
    for row in (0, 1):
        wav = torch.from_numpy(upstream[f"audio{row + 1}"])
        batch[row, 0, : len(wav)] = wav
    latents = codec.network.encoder(batch)
    np.testing.assert_allclose(latents, upstream["encoder_out_batch"], rtol=0, atol=1e-4)
    dequantised = codec.network.quantizer.decode(torch.from_numpy(upstream["codes1"]))
    np.testing.assert_allclose(dequantised, upstream["quantizer_decode1"], rtol=0, atol=5e-6)


def test_upstreams_batch_holds_the_codes_of_single_clips(codec, upstream):
    for row, frames in enumerate(upstream["lens_batch"]):
        codes = codec.encode(upstream[f"audio{row + 1}"])
        assert len(codes) == frames
        np.testing.assert_array_equal(codes, upstream["codes_batch"][row, :, :frames].T)


@pytest.mark.parametrize("clip", ["utt_001", "utt_002", "utt_010", "a", "b"])
def test_codes_of_files_equal_upstreams(codec, clip):
    """16, 22.05, 44.1 (stereo) and 48 kHz: mixed to mono, resampled, encoded."""
    samples, sample_rate = soundfile.read(FIXTURES / "dataset" / f"{clip}.wav", dtype="float32", always_2d=True)
    wav = codec.resample(samples.mean(axis=1), sample_rate)
    np.testing.assert_array_equal(codec.encode(wav), np.load(FIXTURES / "dataset" / f"{clip}.npy").T)


def test_resampling_equals_upstreams():
    wav, sample_rate = soundfile.read(FIXTURES / "dataset" / "utt_001.wav", dtype="float32")
    with np.load(FIXTURES / "resample_ref.npz") as recorded:
        np.testing.assert_allclose(resample(wav, sample_rate, 44100), recorded["utt_001"], rtol=0, atol=3e-7)


def test_rotary_tables_equal_upstreams(state):
    tables = {name: table for name, table in state.items() if name.endswith("freqs_cis")}
    assert len(tables) == 3
    for table in tables.values():
        positions, pairs, _ = table.shape
        assert torch.equal(rotary_table(positions, 2 * pairs, 10000.0), table.float())


def test_default_sizes_are_those_of_s1_mini():
    network = Network(Sizes())
    millions = [
        round(sum(p.numel() for p in part.parameters()) / 1e6, 1)
        for part in (network.encoder, network.quantizer, network.decoder)
    ]
    assert millions == [76.8, 260.5, 54.1]
    stored_tables = 2 * 3
    assert len(expected_shapes(network)) + stored_tables == 541
    assert (Sizes().hop, Sizes().codebook_sizes) == (2048, (4096,) + (1024,) * 9)


# --- clips of any length ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples, frames", [(1, 1), (2047, 1), (2048, 1), (2049, 2)])
def test_frames_are_whole(codec, samples, frames):
    codes = codec.encode(noise(samples))
    assert codes.shape == (frames, 4)
    assert codec.decode(codes).shape == (frames * codec.hop,)


def test_clips_beyond_upstreams_table_begin_like_short_ones(codec):
    wav = noise(26 * 44100)  # upstream's table ends at 2.97 s of this codec; a piece of ours at 24 s
    codes = codec.encode(wav)
    assert codes.shape == (560, 4)
    np.testing.assert_array_equal(codes[:50], codec.encode(wav[: 50 * codec.hop]))


def test_pieces_equal_the_whole(upstream):
    codec = fish.load(CPU, FIXTURES)
    wav = noise(120 * codec.hop - 5)
    codes = codec.encode(wav)
    sound = codec.decode(codes)
    latents = codec.network.encoder(torch.from_numpy(wav[: 119 * codec.hop])[None, None])
    codec.network.encoder.piece = 16 * codec.hop
    codec.network.decoder.piece = 64
    np.testing.assert_array_equal(codec.encode(wav), codes)
    np.testing.assert_allclose(codec.decode(codes), sound, rtol=0, atol=1e-4)
    pieced = codec.network.encoder(torch.from_numpy(wav[: 119 * codec.hop])[None, None])
    np.testing.assert_allclose(pieced, latents, rtol=0, atol=1e-4)


@pytest.mark.parametrize("length", [1, 4, 5, 6, 17])
def test_windowed_attention_equals_one_full_mask(length):
    window = 5
    q, k, v = torch.randn(3, 2, 2, length, 8, generator=torch.Generator().manual_seed(0))
    mask = visible(0, 0, length, window)
    assert mask.sum(1).tolist() == [min(i + 1, window) for i in range(length)]
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(windowed_attention(q, k, v, window), expected)


# --- digest -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["decoder.model.6.conv.bias", "quantizer.upsample.0.0.conv.bias", "quantizer.post_module.norm.weight"]
)
def test_digest_leaves_out_what_only_makes_sound(codec, state, name):
    state[name] = state[name] + 1
    assert FishCodec(read_sizes(FIXTURES), _without_tables(state), device="cpu").digest == codec.digest


@pytest.mark.parametrize(
    "name",
    [
        "encoder.block.0.conv.bias",
        "encoder.block.4.block.5.norm.weight",
        "quantizer.downsample.1.1.gamma",
        "quantizer.pre_module.norm.weight",
        "quantizer.semantic_quantizer.quantizers.0.codebook.weight",
        "quantizer.quantizer.quantizers.2.in_proj.weight_g",
    ],
)
def test_digest_covers_what_codes_follow_from(codec, state, name):
    state[name] = state[name] + 1
    assert encoder_digest(read_sizes(FIXTURES), _without_tables(state)) != codec.digest


def test_digest_covers_sizes_that_no_tensor_shows(codec):
    sizes = read_sizes(FIXTURES)
    narrower = sizes.model_copy(update={"pre_module": sizes.pre_module.model_copy(update={"window": 5})})
    state = read_checkpoint(FIXTURES / "codec.pth")
    assert encoder_digest(sizes, state) == codec.digest
    assert encoder_digest(narrower, state) != codec.digest
    assert encoder_digest(sizes.model_copy(update={"decoder_dim": 1}), state) == codec.digest


def _without_tables(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if not name.endswith(("freqs_cis", "causal_mask"))}


# --- checkpoints ------------------------------------------------------------------------------------------------------


def _folder_with(tmp_path: Path, content: object) -> Path:
    write_sizes(tmp_path, read_sizes(FIXTURES))
    torch.save(content, tmp_path / "codec.pth")
    return tmp_path


def test_wrapper_and_prefix_are_taken_off(codec, state, tmp_path):
    training = {f"generator.{name}": value for name, value in state.items()}
    training["discriminator.weight"] = torch.zeros(1)
    assert fish.load(CPU, _folder_with(tmp_path, {"state_dict": training})).digest == codec.digest


def test_every_differing_tensor_is_listed(state, tmp_path):
    del state["quantizer.pre_module.norm.weight"]
    state["quantizer.extra.weight"] = torch.zeros(3)
    state["decoder.model.6.conv.bias"] = torch.zeros(2)
    with pytest.raises(KaikuError) as caught:
        fish.load(CPU, _folder_with(tmp_path, state))
    for fault in (
        "in 3: ",
        "missing quantizer.pre_module.norm.weight [64]",
        "unexpected quantizer.extra.weight [3]",
        "decoder.model.6.conv.bias has shape [2], not [1]",
    ):
        assert fault in str(caught.value)


def test_a_tiny_checkpoint_is_no_s1_mini(state, tmp_path):
    torch.save(state, tmp_path / "codec.pth")
    with pytest.raises(KaikuError, match=r"differs from the codec's 535 tensors.*and \d+ more"):
        fish.load(CPU, tmp_path)


def test_absent_damaged_and_foreign_files_are_told_apart(tmp_path):
    with pytest.raises(KaikuError, match="does not exist"):
        fish.load(CPU, tmp_path)
    whole = (FIXTURES / "codec.pth").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"<html>404</html>", b""):
        (tmp_path / "codec.pth").write_bytes(damaged)
        with pytest.raises(CorruptFile, match=r"codec\.pth"):
            fish.load(CPU, tmp_path)
    torch.save([1, 2], tmp_path / "codec.pth")
    with pytest.raises(CorruptFile, match="holds a list"):
        fish.load(CPU, tmp_path)


def test_configuration_is_read_and_written_in_upstreams_form(tmp_path):
    for sizes in (Sizes(), TINY, read_sizes(FIXTURES)):
        write_sizes(tmp_path, sizes)
        assert read_sizes(tmp_path) == sizes
    assert read_sizes(tmp_path / "nowhere") == Sizes()


@pytest.mark.parametrize("damage", ["sample_rate: [", "sample_rate: 44100", "- 1"])
def test_a_configuration_of_something_else_is_refused(tmp_path, damage):
    (tmp_path / CONFIG).write_text(damage)
    with pytest.raises(KaikuError, match=CONFIG):
        read_sizes(tmp_path)


# --- the contract -----------------------------------------------------------------------------------------------------


def test_tiny_is_the_same_each_time_and_uses_its_books(tmp_path):
    codec, again = fish.tiny(tmp_path / "one"), fish.tiny(tmp_path / "two")
    assert codec.digest == again.digest
    codes = codec.encode(noise(100 * codec.hop))
    assert codes.shape == (100, 4)
    assert all(len(np.unique(column)) >= 8 for column in codes.T)
    sound = codec.decode(codes)
    assert sound.shape == (100 * codec.hop,)
    assert 1e-3 < sound.std() < 0.5
    np.testing.assert_array_equal(again.encode(noise(100 * codec.hop)), codes)


def test_bad_input_is_refused(codec):
    for wav in (np.zeros(0, np.float32), np.zeros((2, 9), np.float32), np.array([0, np.nan], np.float32)):
        with pytest.raises(KaikuError):
            codec.encode(wav)
    beyond = np.zeros((3, 4), np.uint16)
    beyond[1, 2] = 64
    for codes in (beyond, np.zeros((3, 5), np.uint16)):
        with pytest.raises(CorruptFile):
            codec.decode(codes)


@pytest.mark.parametrize("older_switch", ["highest", "medium"])
def test_precision_is_exact_within_and_as_it_was_afterwards(older_switch):
    units = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.mkldnn.matmul)
    torch.set_float32_matmul_precision(older_switch)
    try:
        before = [unit.fp32_precision for unit in units]
        with pytest.raises(ZeroDivisionError), exact_fp32():
            assert [unit.fp32_precision for unit in units] == ["ieee"] * 3
            assert torch.backends.cuda.matmul.allow_tf32 is False  # raises where old and new switches disagree
            assert torch.backends.cudnn.deterministic and torch.is_inference_mode_enabled()
            _ = 1 / 0
        assert [unit.fp32_precision for unit in units] == before
        assert torch.get_float32_matmul_precision() == older_switch
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_code_that_decides_codes_leaves_the_decoder_out():
    """An edit to the decoder must not make tokens stale."""
    assert "kaiku.codecs.fish.encoder" in closure(fish.ENCODER_MODULE)
    assert "kaiku.codecs.fish.decoder" not in closure(fish.ENCODER_MODULE)
    assert libraries(fish.ENCODER_MODULE) == ("numpy", *fish.LIBRARIES)  # numpy: its own resampler


def test_the_settings_are_read_without_torch():
    program = (
        "import sys, kaiku.codecs.fish as fish; fish.Settings(); assert not {'torch', 'yaml'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- resampling -------------------------------------------------------------------------------------------------------


def test_resampling_keeps_a_tone_at_its_pitch():
    seconds = np.arange(48000) / 48000
    wav = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    resampled = resample(wav, 48000, 44100)
    assert resampled.shape == (44100,)
    expected = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    assert np.abs(resampled - expected)[100:-100].max() < 2e-3
    assert resample(wav, 48000, 48000) is wav


def test_rates_without_a_common_factor_need_no_more_than_a_narrow_filter_per_phase():
    _, kernels = polyphase_kernels(44101, 44100)
    assert kernels.shape == (44100, 14)
    assert np.allclose(kernels.sum(axis=1), 1, atol=0.02)
