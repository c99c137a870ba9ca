"""How near a clip's speaker is to that of a reference clip, by a network that was trained to tell speakers apart.

A folder as transformers keeps WavLM with an x-vector head (`WavLMForXVector`, or a relative of it); it is read from the
disk and nowhere else.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from kaiku.audio.clips import ClipAudio
from kaiku.audio.decode import read_mono
from kaiku.audio.vad import SAMPLE_RATE
from kaiku.checks import Loaded, Measures
from kaiku.errors import KaikuError
from kaiku.exact import exact_fp32
from kaiku.pretrained import load_whole
from kaiku.strict import Strict, by_content, speed_only

LIBRARIES = ("soxr", "numpy", "torch", "transformers", "soundfile", "av")
FIELDS = {
    "speaker_similarity": "-1 to 1, cosine of the speaker vectors of clip and reference; from which value on it is the "
    "same speaker depends on the network (0.86 for microsoft/wavlm-base-plus-sv, by its card); none below min_s.",
}


class Settings(Strict):
    """Whom to compare with, by which network."""

    model: str = by_content(description="Base model (`bases:`) with the network, as transformers saves it.")
    reference: str = by_content(description="Audio file of the target speaker alone, some seconds of speech.")
    min_s: float = Field(0.5, ge=0.4, description="s below which a clip says too little, and has no figure")
    max_s: float = Field(20, ge=1, description="s from the clip's start that are heard; memory grows with them")
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where the network runs.")


class SpeakerSimilarity:
    """A loaded network and the reference's speaker vector."""

    def __init__(self, network: Any, normalises: bool, settings: Settings, device: str):
        self.network, self.normalises, self.settings, self.device = network, normalises, settings, device
        target = self._vector(ClipAudio(*read_mono(Path(settings.reference).expanduser())))
        if target is None:
            raise KaikuError(
                f"{settings.reference}: shorter than {settings.min_s} s, or silent",
                expected="some seconds of the target speaker",
                remedy="Give checks.speaker_similarity another reference.",
            )
        self.target = target

    def measure(self, clip: ClipAudio) -> Measures:
        own = self._vector(clip)
        # The last bits depend on the device and its number of threads.
        return {"speaker_similarity": None if own is None else round(float(own @ self.target), 4)}

    def _vector(self, clip: ClipAudio) -> np.ndarray | None:
        """Speaker vector of length 1, float32 [width]."""
        samples = clip.samples_16k[: round(self.settings.max_s * SAMPLE_RATE)]
        if len(samples) < self.settings.min_s * SAMPLE_RATE or not samples.any():
            return None
        import torch

        if self.normalises:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        with exact_fp32():
            heard = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device)  # [1, samples]
            vector = self.network(heard).embeddings[0].cpu().numpy()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def load(settings: Settings, folder: Path) -> Loaded:
    """The network in a folder, and the reference as it hears it."""
    import json

    from transformers import AutoModelForAudioXVector

    preprocessor = folder / "preprocessor_config.json"
    how = json.loads(preprocessor.read_text()) if preprocessor.is_file() else {}
    if (rate := how.get("sampling_rate", SAMPLE_RATE)) != SAMPLE_RATE:
        raise KaikuError(f"{folder}: hears {rate} Hz", expected=f"{SAMPLE_RATE} Hz")
    network, device = load_whole(AutoModelForAudioXVector, folder, settings.device, "a network with an x-vector head")
    return SpeakerSimilarity(network, bool(how.get("do_normalize", True)), settings, device)


def tiny(folder: Path) -> Settings:
    """A WavLM of one layer with random weights, and a reference."""
    import json

    import torch
    from transformers import WavLMConfig, WavLMForXVector

    from kaiku.checks._tiny_voice import write

    config = WavLMConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(16, 16, 16, 16, 32),
        xvector_output_dim=16,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        WavLMForXVector(config).eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": SAMPLE_RATE, "do_normalize": True}))
    return Settings(model="tiny", reference=str(write(folder / "reference.wav")), device="cpu")
