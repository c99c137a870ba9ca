"""The env codec as a whole: its files, encoding without torch, decoding, streaming."""

import json
from pathlib import Path

import numpy as np

from kaiku.codecs import checked_audio, checked_codes
from kaiku.codecs.env import Settings
from kaiku.codecs.env.quantiser import BANDS, Quantiser, imdct, in_blocks
from kaiku.codecs.env.stream import EnvStream
from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import atomic, digest
from kaiku.strict import key_params

ENCODER_FIELDS = ("sample_rate", "hop", "levels", "codebook_size", "envelope_exponent")


class EnvCodec:
    """See `kaiku.codecs.Codec`. torch is imported at the first `decode`."""

    name = "env"
    decodes = True
    streams = True

    def __init__(self, folder: Path, config: Settings):
        codebooks = _read_codebooks(folder / "encoder.safetensors", config)
        layout = {field: getattr(config, field) for field in ENCODER_FIELDS}
        contents = {name: digest.of_bytes(tensor.tobytes()) for name, tensor in codebooks.items()}
        self.digest = digest.of_value([self.name, layout, contents])
        self.sample_rate, self.hop = config.sample_rate, config.hop
        self.codebook_sizes = (config.codebook_size,) * config.levels
        self.quantiser = Quantiser(config.sample_rate, config.envelope_exponent, **codebooks)
        self._folder, self._post_width, self._postnet = folder, config.post_width, None

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "EnvCodec":
        """Read a codec; see `kaiku.codecs.env.load`."""
        config = _read_config(folder)
        for field in ENCODER_FIELDS:
            if getattr(config, field) != getattr(settings, field):
                raise KaikuError(
                    f"{folder}: a codec with {field} {getattr(config, field)}",
                    expected=f"{field} {getattr(settings, field)}, as configured",
                    remedy="Fit it again, or configure what it was fitted with.",
                )
        return cls(folder, config)

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """float32 `[samples]` -> uint16 `[ceil(samples / hop), levels]`."""
        return self.quantiser.encode(checked_audio(wav))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """uint16 `[frames, levels]` -> float32 `[frames * hop]`, one hop late."""
        codes = checked_codes(codes, self.codebook_sizes)
        return overlap_add(self._mend(codes[:, 0], self.quantiser.spectrum(codes)))

    def decode_unmended(self, codes: np.ndarray) -> np.ndarray:
        """What `decode` gives without the post-net."""
        return overlap_add(self.quantiser.spectrum(checked_codes(codes, self.codebook_sizes)))

    def stream(self, slots: int = 1) -> EnvStream:
        """See `kaiku.codecs.CodecStream`."""
        return EnvStream(self, slots)

    def _mend(self, envelope_codes: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
        import torch

        if self._postnet is None:
            self._postnet = self._load_postnet()
        with torch.inference_mode():
            return self._postnet(torch.from_numpy(envelope_codes)[None], torch.from_numpy(spectrum)[None])[0].numpy()

    def _load_postnet(self):
        from safetensors import SafetensorError
        from safetensors.torch import load

        from kaiku.codecs.env.postnet import new_postnet

        path = self._folder / "decoder.safetensors"
        net = new_postnet(self.hop, self.codebook_sizes[0], self._post_width, seed=0)
        try:
            net.load_state_dict(load(_read(path)))
        except (SafetensorError, RuntimeError) as error:
            raise CorruptFile(f"{path}: {error}", expected="the post-net that config.json describes") from error
        return net


def overlap_add(spectrum: np.ndarray) -> np.ndarray:
    """MDCT frames `[T, hop]` -> float32 `[T * hop]`: each window's first half plus the second of the one before."""
    windows = in_blocks(imdct, spectrum)  # [T, 2 * hop]
    hop = spectrum.shape[1]
    audio = windows[:, :hop].copy()
    audio[1:] += windows[:-1, hop:]
    return audio.reshape(-1).astype(np.float32)


def write(folder: Path, settings: Settings, quantiser: Quantiser, postnet) -> None:
    """Write a codec's three files; the configuration last, so that a folder that has it is whole."""
    from safetensors.numpy import save

    codebooks = {name: np.ascontiguousarray(getattr(quantiser, name)) for name in _shapes(settings)}
    weights = {name: tensor.detach().numpy() for name, tensor in postnet.state_dict().items()}
    atomic.write_bytes(folder / "encoder.safetensors", save(codebooks))
    atomic.write_bytes(folder / "decoder.safetensors", save(weights))
    atomic.write_json(folder / "config.json", {"codec": EnvCodec.name, **key_params(settings)})


def write_random(settings: Settings, folder: Path) -> None:
    """Write a codec of plausible random codebooks and an idle post-net."""
    from kaiku.codecs.env.postnet import new_postnet

    rng = np.random.Generator(np.random.PCG64(settings.seed))
    shapes = _shapes(settings)
    quantiser = Quantiser(
        settings.sample_rate,
        settings.envelope_exponent,
        rng.uniform(-8, -1, shapes["energies"]).astype(np.float32),
        (10 ** rng.uniform(-3, -1, shapes["envelopes"])).astype(np.float32),
        rng.normal(0, 0.1, shapes["residuals"]).astype(np.float32),
    )
    postnet = new_postnet(settings.hop, settings.codebook_size, settings.post_width, settings.seed)
    write(folder, settings, quantiser, postnet)


def _shapes(config: Settings) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of the encoder."""
    size, hop = config.codebook_size, config.hop
    return {"energies": (size, BANDS), "envelopes": (size, hop), "residuals": (config.levels - 1, size, hop)}


def _read_codebooks(path: Path, config: Settings) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(_read(path))
    except SafetensorError as error:
        raise CorruptFile(f"{path}: {error}", expected="a safetensors file") from error
    found = {name: (str(tensor.dtype), tensor.shape) for name, tensor in tensors.items()}
    expected = {name: ("float32", shape) for name, shape in _shapes(config).items()}
    if found != expected:
        raise CorruptFile(f"{path} holds {found}", expected=f"{expected}, as config.json says")
    return tensors


def _read_config(folder: Path) -> Settings:
    path = folder / "config.json"
    try:
        values = json.loads(_read(path))
        if values.pop("codec") != EnvCodec.name:
            raise ValueError("another codec")
        return Settings(**values)
    except (ValueError, KeyError, AttributeError) as error:
        raise KaikuError(f"{path}: not the configuration of an env codec ({error})") from error


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise KaikuError(
            f"{path} does not exist",
            expected="the folder of a fitted env codec: config.json, encoder.safetensors, decoder.safetensors",
            remedy="Fit the codec first, or correct the path.",
        )
    return path.read_bytes()
