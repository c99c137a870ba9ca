"""The fish family: upstream's checkpoints and sequences, under the contract that all families share."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kaiku.errors import KaikuError
from kaiku.families import Generation, Limits, Parts, Sentence
from kaiku.families.fish import Settings, checkpoint, sequence
from kaiku.families.fish.config import DualARConfig, read_config
from kaiku.families.fish.fresh import random_model
from kaiku.families.fish.generate import columns_after
from kaiku.families.fish.model import IGNORED, DualAR
from kaiku.families.fish.sequence import Example
from kaiku.families.fish.tokenizer import ByteTokenizer, Tokenizer, read_tokenizer


class Fish:
    """fish-speech's dual-AR model as a Family; `open_base` or `load_base` comes before all that needs a tokenizer."""

    name = "fish"
    features: tuple[str, ...] = ()
    lora_targets = (
        r"(fast_)?layers\.\d+\.(attention\.(wqkv|wo)|feed_forward\.w[123])"
        r"|embeddings|codebook_embeddings|output|fast_embeddings|fast_output"
    )

    def __init__(self, settings: Settings):
        self.settings = settings
        self._config: DualARConfig | None = None
        self._tokenizer: Tokenizer | None = None

    # --- bases

    def new_base(self, settings: Settings, codebook_sizes: tuple[int, ...], seed: int, folder: Path) -> Path:
        """Write a fresh random base of the sizes in the settings, with bytes as its vocabulary."""
        tokenizer, sizes = ByteTokenizer(codebook_sizes[0]), settings.model
        config = DualARConfig(
            **sizes.model_dump(),
            head_dim=sizes.dim // sizes.n_head,
            fast_head_dim=sizes.fast_dim // sizes.fast_n_head,
            vocab_size=tokenizer.size,
            codebook_size=max(codebook_sizes),
            num_codebooks=len(codebook_sizes),
            codebook_sizes=list(codebook_sizes),
        )
        checkpoint.write_model(random_model(config, seed=seed), tokenizer, folder, pickle=False)
        return folder

    def open_base(self, path: Path) -> None:
        """Read a base's config and tokenizer only: enough for `example`, `collate` and `prompt`."""
        config = read_config(path)
        tokenizer = read_tokenizer(path, config.codebook_sizes[0])
        codes = tokenizer.semantic_end - tokenizer.semantic_begin + 1
        if tokenizer.size > config.vocab_size or codes != config.codebook_sizes[0]:
            raise KaikuError(
                f"{path}: the tokenizer has {tokenizer.size} ids, {codes} of them for codes",
                expected=f"at most {config.vocab_size}, {config.codebook_sizes[0]} of them for codes (config.json)",
            )
        config.semantic_begin_id, config.semantic_end_id = tokenizer.semantic_begin, tokenizer.semantic_end
        config.upstream_compat = self.settings.upstream_compat
        self._config, self._tokenizer = config, tokenizer

    def load_base(self, path: Path, dtype: torch.dtype = torch.float32) -> DualAR:
        """The model of an openaudio checkpoint folder, on the CPU, in eval mode; the folder is never written to."""
        self.open_base(path)
        return checkpoint.read_model(path, self.config, dtype)

    @property
    def config(self) -> DualARConfig:
        """The config of the base that was opened."""
        if self._config is None:
            raise RuntimeError("open_base() or load_base() comes first")
        return self._config

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the base that was opened."""
        if self._tokenizer is None:
            raise RuntimeError("open_base() or load_base() comes first")
        return self._tokenizer

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes in each codebook of the codec that the base speaks."""
        return tuple(self.config.codebook_sizes)

    # --- sequences

    def example(self, sentence: Sentence, features: Mapping[str, np.ndarray] | None = None) -> Example:
        """One clip as ids and codes. Raises KaikuError where its codes are not the model's or it is too long."""
        sizes, codes = np.asarray(self.config.codebook_sizes), sentence.codes
        if codes.shape[1] != len(sizes) or (codes >= sizes).any():
            raise KaikuError(
                f"{sentence.speaker}, {sentence.text[:60]!r}: {codes.shape[1]} codebooks, codes up to {codes.max(0)}",
                expected=f"{len(sizes)} codebooks of {sizes.tolist()} codes, as the base model has",
                remedy="The run's codec and base model do not belong together.",
            )
        example = self._example(sentence)
        if example.length > self.config.max_seq_len:
            raise KaikuError(
                f"{sentence.speaker}, {sentence.text[:60]!r}: {example.length} positions",
                expected=f"at most {self.config.max_seq_len} (max_seq_len of the base model)",
                remedy="Lower the upper end of select.duration_s.",
            )
        return example

    def _example(self, sentence: Sentence) -> Example:
        ids = np.asarray(self._text_ids(sentence.text, sentence.speaker), np.int32)
        return Example(ids, sentence.codes, len(ids) + len(sentence.codes))

    def _text_ids(self, text: str, speaker: str) -> list[int]:
        named = speaker if self.settings.name_speaker else ""
        return sequence.text_ids(self.tokenizer, text, named, self.settings.layout)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Right-padded CPU tensors `inputs` and `labels`, int64 [B, 1 + C, T]; with a generator, noisy inputs."""
        batch = sequence.collate(examples, self.tokenizer)
        if generator is not None and self.settings.input_noise:
            tokens = batch["inputs"][:, 0]
            is_frame = (tokens >= self.tokenizer.semantic_begin) & (tokens <= self.tokenizer.semantic_end)
            batch["inputs"] = sequence.add_noise(batch["inputs"], is_frame, self.settings.input_noise, generator)
        return batch

    def prompt(self, text: str, speaker: str = "", *, reference: Sentence | None = None) -> Tensor:
        """Columns int64 [1 + C, T] that generation continues; reference: a clip whose voice is to be followed."""
        none = np.zeros((0, self.config.num_codebooks), np.uint16)
        begin = self.tokenizer.semantic_begin
        ids = self._text_ids(text, speaker)
        if reference is None:
            return sequence.columns(ids, none, begin)
        spoken = sequence.columns(self._text_ids(reference.text, reference.speaker), reference.codes, begin)
        after = ids[1:] if self.settings.layout == "interleave" else ids  # only the first turn says "interleave"
        return torch.cat([spoken, sequence.columns([self.tokenizer.end, *after], none, begin)], 1)

    # --- the model at work

    def loss(self, model: torch.nn.Module, batch: dict[str, Tensor]) -> Parts:
        """Cross-entropy sums in nats: "token" over frames and ends, "codes" over all codes of all frames.

        Upstream's loss is token sum / count + codes sum / count.
        """
        token, codes, _ = self._cross_entropies(model, batch)
        return {"token": (token.sum(), token.numel()), "codes": (codes.sum(), codes.numel())}

    def counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        """The counts that `loss` of this batch returns, without a forward pass."""
        tokens = batch["labels"][:, 0]
        frames = (tokens != IGNORED) & (tokens != self.tokenizer.end)
        return {"token": int((tokens != IGNORED).sum()), "codes": int(frames.sum()) * self.config.num_codebooks}

    def levels(self, model: torch.nn.Module, batch: dict[str, Tensor]) -> Parts:
        """Cross-entropy sums in nats: "level_0" by the token head, "level_1" and on by the fast stack, and "end".

        Bits per frame: the sum over levels of sum / count / ln 2. "end" is the end token's, one per sentence.
        """
        token, codes, is_frame = self._cross_entropies(model, batch)
        parts = [token[is_frame], *codes.T[1:]]
        return {f"level_{i}": (part.sum(), part.numel()) for i, part in enumerate(parts)} | {
            "end": (token[~is_frame].sum(), int((~is_frame).sum()))
        }

    def _cross_entropies(self, model: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """In nats: of each labelled token [M], of each frame's codes [N, C]; which labelled tokens are frames [M]."""
        device = next(model.parameters()).device
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        output = model(**batch)
        labels = batch["labels"].transpose(1, 2)[batch["labels"][:, 0] != IGNORED]  # [M, 1 + C]
        tokens = labels[:, 0]
        is_frame = tokens != self.tokenizer.end
        codes = labels[is_frame, 1:]  # [N, C]
        token_loss = F.cross_entropy(output.token.float(), tokens, reduction="none")
        code_loss = F.cross_entropy(output.codes.float().flatten(0, 1), codes.flatten(), reduction="none")
        return token_loss, code_loss.view(codes.shape), is_frame

    def generate(self, model: torch.nn.Module, prompt: Tensor, *, seed: int, limits: Limits) -> Generation:
        """Codes, uint16 [n, C] a chunk, until the end token comes or `limits.max_frames` are made."""
        return Generation(self._chunks(_dual_ar(model), prompt, seed, limits))

    def _chunks(self, model: DualAR, prompt: Tensor, seed: int, limits: Limits) -> Iterator[np.ndarray]:
        room = model.config.max_seq_len - prompt.shape[1]
        if room <= 0:
            raise KaikuError(
                f"a prompt of {prompt.shape[1]} positions",
                expected=f"fewer than {model.config.max_seq_len} (max_seq_len of the model)",
                remedy="Speak the text in parts.",
            )
        columns = columns_after(
            model,
            prompt,
            end=self.tokenizer.end,
            max_frames=min(limits.max_frames, room),
            temperature=limits.temperature,
            top_p=limits.top_p,
            generator=torch.Generator().manual_seed(seed),
        )
        chunk, ended = [], False
        for column in columns:
            ended = int(column[0]) == self.tokenizer.end
            if not ended:
                chunk.append(column[1:])
            if chunk and (ended or len(chunk) == limits.chunk_frames):
                yield torch.stack(chunk).cpu().numpy().astype(np.uint16)
                chunk = []
        if chunk:
            yield torch.stack(chunk).cpu().numpy().astype(np.uint16)
        return ended

    def speak(
        self, model: torch.nn.Module, codec: Any, text: str, *, voice: str = "", seed: int = 0, limits: Limits
    ) -> Iterator[np.ndarray]:
        """Audio, float32 [samples] at the codec's sample rate: all of the text at once."""
        codes = self.generate(model, self.prompt(text, voice), seed=seed, limits=limits).codes()
        if len(codes):
            yield codec.decode(codes)

    # --- the finished model

    def merge(self, model: torch.nn.Module) -> DualAR:
        """The base with its adapters folded in, in fp32; then in the dtype the base had."""
        dtype = _dual_ar(model).embeddings.weight.dtype
        return model.float().merge_and_unload(safe_merge=True).to(dtype).eval()

    def export(self, model: DualAR, folder: Path) -> None:
        """Write model.safetensors, config.json and tokenizer files as upstream has them, and kaiku.json beside.

        The files are written one by one: a caller who needs the folder whole or not at all fills it beside its place.
        """
        checkpoint.write_model(model, self.tokenizer, folder, pickle=self.settings.export_pickle)


def _dual_ar(model: torch.nn.Module) -> DualAR:
    """The model itself, whether or not adapters are attached; they stay active."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
