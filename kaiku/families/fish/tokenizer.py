"""Text to token ids: upstream's tiktoken vocabulary, or plain bytes, by what stands in the checkpoint folder."""

import base64
import json
from functools import cached_property
from pathlib import Path
from typing import Protocol

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families.fish.files import REMEDY, read_object
from kaiku.store import atomic

RANKS, SPECIALS, BYTES = "tokenizer.tiktoken", "special_tokens.json", "byte_tokenizer.json"

# Upstream's pattern, letter for letter: `(\?!\S)` was surely meant as `(?!\S)`, but the vocabulary was used with this.
PATTERN = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"\p{P}",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(\?!\S)",
        r"\s+",
    )
)
UPSTREAM_SPECIALS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|pad|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|phoneme_start|>",
    "<|phoneme_end|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "<|text|>",
    "<|voice|>",
    "<|interleave|>",
    "<|audio_start|>",
    "<|audio_end|>",
    "<|audio|>",
)
BYTE_SPECIALS = ("pad", "voice", "end", "bos")  # ids 256 and up, before the semantic tokens


class Tokenizer(Protocol):
    """What both kinds offer; the ids of codebook 0's codes are `semantic_begin` + code."""

    pad: int
    voice: int
    end: int
    semantic_begin: int
    semantic_end: int  # the last one
    size: int  # ids that have a meaning

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: what looks like a special token in it is text."""

    def save(self, folder: Path) -> None:
        """Write the files it was read from."""


class TiktokenTokenizer:
    """Byte pairs with upstream's ranks, special tokens and one token per code of codebook 0."""

    def __init__(self, ranks: bytes, specials: list[str], *, where: str):
        self._ranks_file = ranks
        self._ranks = _parse_ranks(ranks, where)
        # Only the order of the special tokens counts: upstream numbers them anew, after the ranks.
        self.specials = {token: len(self._ranks) + i for i, token in enumerate(specials)}
        missing = [token for token in (*UPSTREAM_SPECIALS, "<|semantic:0|>") if token not in self.specials]
        if missing:
            raise KaikuError(f"{where}: no {', '.join(missing)} among the special tokens", expected="openaudio-s1's")
        self.pad = self.specials["<|end_of_text|>"]  # upstream pads with this one
        self.voice, self.end = self.specials["<|voice|>"], self.specials["<|im_end|>"]
        self.interleave = self.specials["<|interleave|>"]
        self.semantic_begin = self.specials["<|semantic:0|>"]
        codes = sum(token.startswith("<|semantic:") for token in specials)
        self.semantic_end = self.semantic_begin + codes - 1
        if self.specials.get(f"<|semantic:{codes - 1}|>") != self.semantic_end:
            raise KaikuError(f"{where}: the semantic tokens are not one run", expected=f"0 to {codes - 1} in order")
        self.size = len(self._ranks) + len(specials)

    @classmethod
    def read(cls, folder: Path, codes: int) -> "TiktokenTokenizer":
        """From a checkpoint folder; without special_tokens.json, upstream's list with `codes` semantic tokens."""
        path = folder / SPECIALS
        if path.exists():
            specials = list(read_object(path))
        else:
            specials = [*UPSTREAM_SPECIALS, *(f"<|semantic:{i}|>" for i in range(codes))]
        return cls((folder / RANKS).read_bytes(), specials, where=str(folder))

    @cached_property
    def _encoding(self):
        import tiktoken

        return tiktoken.Encoding("fish", pat_str=PATTERN, mergeable_ranks=self._ranks, special_tokens=self.specials)

    def encode(self, text: str) -> list[int]:
        return self._encoding.encode_ordinary(text)

    def encode_with_specials(self, text: str) -> list[int]:
        """Ids of text in which special tokens are recognised; never for a user's text."""
        return self._encoding.encode(text, allowed_special="all")

    def save(self, folder: Path) -> None:
        atomic.write_bytes(folder / RANKS, self._ranks_file)
        atomic.write_text(folder / SPECIALS, json.dumps(self.specials, indent=2, ensure_ascii=False))


class ByteTokenizer:
    """UTF-8 bytes as ids: no vocabulary to learn or to ship, for small models of any language."""

    def __init__(self, codes: int):
        self.pad, self.voice, self.end, self.bos = range(256, 256 + len(BYTE_SPECIALS))
        self.semantic_begin = 256 + len(BYTE_SPECIALS)
        self.semantic_end = self.semantic_begin + codes - 1
        self.size = self.semantic_end + 1

    @classmethod
    def read(cls, folder: Path) -> "ByteTokenizer":
        path = folder / BYTES
        codes = read_object(path).get("semantic_tokens")
        if not isinstance(codes, int):
            raise CorruptFile(f"{path}: semantic_tokens {codes!r}", expected="a whole number", remedy=REMEDY)
        return cls(codes)

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def save(self, folder: Path) -> None:
        codes = self.semantic_end - self.semantic_begin + 1
        atomic.write_json(folder / BYTES, {"specials": list(BYTE_SPECIALS), "semantic_tokens": codes})


def read_tokenizer(folder: Path, codes: int) -> Tokenizer:
    """The tokenizer of a checkpoint folder; codes: size of codebook 0. Raises KaikuError where there is none."""
    if (folder / RANKS).exists():
        return TiktokenTokenizer.read(folder, codes)
    if (folder / BYTES).exists():
        return ByteTokenizer.read(folder)
    found = [path.name for path in sorted(folder.glob("*token*"))] or "no tokenizer"
    raise KaikuError(f"{folder} holds {found}", expected=f"{RANKS} (openaudio-s1) or {BYTES}")


def _parse_ranks(data: bytes, where: str) -> dict[bytes, int]:
    """Lines of "<base64> <rank>"; a lone "=" stands for the empty token."""
    ranks = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[b"" if token == b"=" else base64.b64decode(token)] = int(rank)
        except ValueError as fault:
            raise CorruptFile(f"{where}/{RANKS}, line {number}: {line[:40]!r}", expected="<base64> <rank>") from fault
    return ranks
