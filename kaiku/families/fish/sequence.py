"""From sentences to sequences: how text and frames stand together, and how sequences become batches.

A sequence is a matrix of columns, [1 + C, T]: row 0 holds token ids, rows 1.. the codes of frames (0 elsewhere).
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from kaiku.families.fish.model import IGNORED
from kaiku.families.fish.tokenizer import ByteTokenizer, Tokenizer

EMOJI = re.compile("[\U0001f600-\U0001f64f\U0001f300-\U0001f5ff\U0001f680-\U0001f6ff\U0001f1e0-\U0001f1ff]+")
COMMAS = re.compile(",{2,}")
QUOTES = str.maketrans("‘’", "''")

Layout = Literal["instruct", "interleave"]


@dataclass(frozen=True, slots=True)
class Example:
    """One clip: ids of all that comes before its frames, int32 [P]; codes, uint16 [frames, C]; P + frames."""

    ids: np.ndarray
    codes: np.ndarray
    length: int


def clean_text(text: str) -> str:
    """Text as upstream's reader cleans it: stripped, quotes straight, emoji of four blocks out, commas single."""
    return COMMAS.sub(",", EMOJI.sub("", text.strip().translate(QUOTES)))


def text_ids(tokenizer: Tokenizer, text: str, speaker: str, layout: Layout) -> list[int]:
    """All ids before the frames. speaker: named before the text where not empty.

    The parts are encoded apart, as upstream does, so that no pair of bytes merges across them.
    """
    text = clean_text(text)
    if isinstance(tokenizer, ByteTokenizer):
        return [tokenizer.bos, *tokenizer.encode(f"{speaker}: {text}" if speaker else text), tokenizer.voice]
    if layout == "interleave":
        return [
            tokenizer.interleave,
            *tokenizer.encode(f"<|speaker:{speaker or 0}|>"),
            *tokenizer.encode(text),
        ]
    named = f"<|speaker:{speaker}|> {text}" if speaker else text
    return [
        *tokenizer.encode("Speak out the provided text."),
        *tokenizer.encode(f"<|speaker:user|> {named}"),
        tokenizer.end,
        *tokenizer.encode("<|speaker:assistant|> "),
        tokenizer.voice,
    ]


def columns(ids: list[int] | np.ndarray, codes: np.ndarray, semantic_begin: int) -> Tensor:
    """Token ids, then frames, as columns: int64 [1 + C, P + frames]. codes: [frames, C]."""
    frames, codebooks = codes.shape
    matrix = torch.zeros((1 + codebooks, len(ids) + frames), dtype=torch.int64)
    matrix[0, : len(ids)] = torch.as_tensor(np.asarray(ids, np.int64))
    matrix[1:, len(ids) :] = torch.from_numpy(codes.astype(np.int64).T)
    matrix[0, len(ids) :] = semantic_begin + matrix[1, len(ids) :]
    return matrix


def collate(examples: list[Example], tokenizer: Tokenizer) -> dict[str, Tensor]:
    """Right-padded `inputs` and `labels`, int64 [B, 1 + C, T]; labels are the next column at frames and at the end.

    Padding is the tokenizer's pad, with -100 as its label, so that it is never trained.
    """
    codebooks = examples[0].codes.shape[1]
    size = (len(examples), 1 + codebooks, max(example.length for example in examples))
    inputs = torch.zeros(size, dtype=torch.int64)
    inputs[:, 0] = tokenizer.pad
    labels = torch.full(size, IGNORED, dtype=torch.int64)
    for row, example in enumerate(examples):
        matrix = columns(example.ids, example.codes, tokenizer.semantic_begin)  # [1 + C, length]
        first, end = len(example.ids), example.length
        inputs[row, :, :end] = matrix
        labels[row, :, first - 1 : end - 1] = matrix[:, first:]
        labels[row, 0, end - 1] = tokenizer.end
    return {"inputs": inputs, "labels": labels}


def add_noise(inputs: Tensor, is_frame: Tensor, mean: float, generator: torch.Generator) -> Tensor:
    """Inputs [B, 1 + C, T] in which some frames have become other frames of the batch.

    Each sequence replaces a share of its frames that is drawn from 0 to 2 * mean. A model that cannot trust the last
    frame must read the text, and does not learn a small corpus by heart. is_frame: [B, T].
    """
    share = torch.rand(len(inputs), 1, generator=generator) * 2 * mean
    replaced = (torch.rand(is_frame.shape, generator=generator) < share) & is_frame
    noisy = inputs.transpose(1, 2).clone()  # [B, T, 1 + C]
    frames = noisy[is_frame]  # [N, 1 + C]
    if len(frames):
        noisy[replaced] = frames[torch.randint(len(frames), (int(replaced.sum()),), generator=generator)]
    return noisy.transpose(1, 2).contiguous()
