"""Mimi (Defossez et al., 2024), the codec of Moshi and CSM: 24 kHz, 12.5 frames a second, through transformers.

The folder is laid out as on the Hugging Face hub: `config.json` and `model.safetensors`. Streaming is not offered:
transformers streams Mimi's encoder, but not the convolutions of its decoder.
"""

import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from kaiku.codecs import checked_audio, checked_codes
from kaiku.devices import torch_device
from kaiku.errors import CorruptFile, KaikuError
from kaiku.exact import exact_fp32
from kaiku.store import atomic, digest
from kaiku.strict import Strict, speed_only

LIBRARIES = ("torch", "transformers")

DECODER_TENSORS = ("decoder.", "decoder_transformer.", "upsample.")
BOOKKEEPING = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")  # not of the codec


class Settings(Strict):
    """Which part of Mimi is used, and where it runs."""

    codebooks: int = Field(8, ge=2, le=32, description="of the 32; each adds 137.5 bit/s")
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="auto: the GPU where there is one")


def load(settings: Settings, folder: Path) -> "MimiCodec":
    """The Mimi that stands in `folder`; a KaikuError where it is none or any tensor is missing or of another shape."""
    return MimiCodec(Path(folder), settings)


def tiny(folder: Path) -> "MimiCodec":
    """A Mimi of tiny random weights with the real hop and 8 codebooks of 32 codes."""
    import torch
    from transformers import MimiConfig, MimiModel

    config = MimiConfig(
        num_filters=2,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=32,
        upsample_groups=16,
        codebook_size=32,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        num_quantizers=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MimiModel(config)
        for name, buffer in model.named_buffers():
            if name.endswith("embed_sum"):
                torch.nn.init.normal_(buffer)  # zero as transformers makes it: every code would be 0
    with atomic.folder(Path(folder)) as beside:
        model.save_pretrained(beside)
    return load(Settings(device="cpu"), folder)


class MimiCodec:
    """See `kaiku.codecs.Codec`."""

    name = "mimi"
    decodes = True
    streams = False

    def __init__(self, folder: Path, settings: Settings):
        config = _read_config(folder)
        self._model, self._device = _load_model(folder, settings.device)
        offered = self._model.config.num_quantizers
        if settings.codebooks > offered:
            raise KaikuError(
                f"{folder}: a Mimi of {offered} codebooks",
                expected=f"at least {settings.codebooks}, as configured",
                remedy="Lower codec.codebooks, or give the full model.",
            )
        self.sample_rate, self.hop = self._model.config.sampling_rate, self._model.config.frame_size
        self.codebook_sizes = (self._model.config.codebook_size,) * settings.codebooks
        tensors = encoder_tensors(folder / "model.safetensors")
        self.digest = digest.of_value([self.name, settings.codebooks, "fp32", config, tensors])

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """float32 `[samples]` -> uint16 `[ceil(samples / 1920), codebooks]`; the last frame filled up with zeros."""
        import torch

        wav = checked_audio(wav)
        padded = np.pad(wav, (0, -len(wav) % self.hop))
        with exact_fp32():
            audio = torch.from_numpy(padded)[None, None].to(self._device)  # [B, 1, samples]
            codes = self._model.encode(audio, num_quantizers=len(self.codebook_sizes)).audio_codes  # [B, K, T]
        return codes[0].T.cpu().numpy().astype(np.uint16)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """uint16 `[frames, codebooks]` -> float32 `[frames * 1920]`."""
        import torch

        codes = checked_codes(codes, self.codebook_sizes)
        with exact_fp32():
            batch = torch.from_numpy(codes.T.copy())[None].to(self._device)  # [B, K, T]
            return self._model.decode(batch).audio_values[0, 0].cpu().numpy()


def encoder_tensors(path: Path) -> dict[str, str]:
    """Digest of each tensor of encoder and quantiser by the name, type, shape and bytes it has in the file.

    Read from the file, since transformers renames tensors from one release to the next.
    """
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start = file.tell()
        digests = {}
        for name, entry in sorted(header.items()):
            if name == "__metadata__" or name.startswith(DECODER_TENSORS):
                continue
            first, end = entry["data_offsets"]
            file.seek(start + first)
            kind = f"{entry['dtype']} {entry['shape']}"
            digests[name] = digest.of_bytes(kind.encode(), file.read(end - first))
    return digests


def _load_model(folder: Path, device: str):
    import torch
    from safetensors import SafetensorError
    from transformers import MimiModel

    device = torch_device(device)
    try:
        model, report = MimiModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CorruptFile(f"{folder}: {error}", expected="a whole Mimi checkpoint", remedy="Fetch it again.") from error
    absent = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if absent:
        # transformers only warns, and fills them with random numbers
        raise CorruptFile(
            f"{folder}/model.safetensors: {len(absent)} tensors missing or of another shape, first {absent[:3]}",
            expected="a whole Mimi checkpoint",
            remedy="Fetch it again.",
        )
    return model.eval().requires_grad_(False).to(device), device


def _read_config(folder: Path) -> dict:
    """What `config.json` says of the codec, without what transformers notes about the file."""
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise KaikuError(
                f"{folder / name} does not exist",
                expected="a Mimi folder as on the Hugging Face hub: config.json and model.safetensors",
                remedy="Fetch kyutai/mimi, or correct the path.",
            )
    try:
        config = json.loads((folder / "config.json").read_text())
    except ValueError as error:
        raise CorruptFile(f"{folder}/config.json: {error}", expected="a JSON file") from error
    if config.get("model_type") != "mimi":
        raise KaikuError(f"{folder}: a model of type {config.get('model_type')!r}", expected="a Mimi")
    return {key: value for key, value in config.items() if key not in BOOKKEEPING}
