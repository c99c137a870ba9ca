"""Codecs: audio to integer codes and back. One module (or package) per codec; this page is what each of them promises.

A codec module exposes
  `Settings`                          a `Strict` class, importable without torch;
  `load(settings, folder) -> Codec`   reads a codec's files; a folder that is none is a `KaikuError`;
  `tiny(folder) -> Codec`             writes small random weights that `load(Settings(), folder)` reads back;
  `fit(settings, clips, folder, ...)` where it can be trained: writes `encoder.safetensors` (encoder and quantiser),
                                      `decoder.safetensors` (the rest) and `config.json`;
  `ENCODER_MODULE`                    optional: the module whose import closure decides the codes, where that is less
                                      than the whole codec, so that an edit to the decoder leaves tokens alone;
  `FILES`                             optional: names of its files in a folder that may hold a base model as well, which
                                      no archive of a run is to carry along. Without, all of the folder is the codec's.
"""

from typing import Protocol

import numpy as np

from kaiku.errors import CorruptFile, KaikuError


class Codec(Protocol):
    """A trained codec, without state: what was coded before never changes what comes now.

    `digest` covers tensors, configuration, preprocessing and dtype policy of encoder and quantiser, not the decoder.
    `codebook_sizes` gives one size per codebook; `hop` is in samples per frame, `sample_rate` in Hz.
    `decode` exists where `decodes`, `stream` where `streams`.
    """

    name: str
    digest: str
    sample_rate: int
    hop: int
    codebook_sizes: tuple[int, ...]
    decodes: bool
    streams: bool

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Codes of ONE clip: float32 `[samples]` at `sample_rate` -> uint16 `[ceil(samples / hop), codebooks]`.

        Computed in fp32 or better, without TF32 or autocast; the last frame is filled up with zeros. Audio that is
        empty, not mono or not finite is a KaikuError.
        """

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Audio of one clip: uint16 `[frames, codebooks]` -> float32 `[frames * hop]`.

        It may come late by a lag that is the same for every clip.
        """

    def stream(self, slots: int = 1) -> "CodecStream":
        """A live stream of `slots` independent voices that step together."""


class CodecStream(Protocol):
    """Live coding: `encoder` turns audio into codes, `decoder` codes into audio; each keeps its own past.

    The chunks end to end equal the offline result: codes are equal to `encode()`, audio is within 1e-5 of `decode()`.
    """

    encoder: "HalfStream"  # float32 [slots, frames * hop] -> uint16 [slots, frames, codebooks]
    decoder: "HalfStream"  # uint16 [slots, frames, codebooks] -> float32 [slots, frames * hop]

    def reset(self, slot: int) -> None:
        """Forget the past of one slot in both directions: a new voice begins there."""


class HalfStream(Protocol):
    """One direction of a stream."""

    def step(self, chunk: np.ndarray) -> np.ndarray:
        """Code the next one or more whole frames of all slots."""

    def reset(self, slot: int) -> None:
        """Forget the past of one slot."""


def checked_audio(wav: np.ndarray) -> np.ndarray:
    """The clip as float32 `[samples]`; a KaikuError where it is empty, not mono, not floating point or not finite."""
    wav = np.asarray(wav)
    if wav.ndim != 1 or wav.size == 0:
        raise KaikuError(
            f"Audio of shape {list(wav.shape)}",
            expected="one clip of mono audio, [samples], at least one sample",
            remedy="Mix the channels down and leave out empty clips before encoding.",
        )
    if wav.dtype.kind != "f":
        raise KaikuError(f"Audio of type {wav.dtype}", expected="float32 samples, full scale at 1.0")
    bad = np.flatnonzero(~np.isfinite(wav))
    if bad.size:
        raise KaikuError(
            f"{bad.size} of {wav.size} samples are NaN or infinite, the first at sample {bad[0]}",
            expected="finite audio",
            remedy="Look at the clip's source file.",
        )
    return wav.astype(np.float32, copy=False)


def checked_codes(codes: np.ndarray, codebook_sizes: tuple[int, ...]) -> np.ndarray:
    """Codes `[frames, codebooks]` as int64; CorruptFile where they cannot be this codec's."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != len(codebook_sizes) or not len(codes) or codes.dtype.kind not in "ui":
        raise CorruptFile(
            f"Codes of shape {list(codes.shape)} and type {codes.dtype}",
            expected=f"integers [frames, {len(codebook_sizes)}], at least one frame",
            remedy="These codes belong to another codec: encode again.",
        )
    codes = codes.astype(np.int64)
    if (codes < 0).any() or (codes >= np.asarray(codebook_sizes)).any():
        raise CorruptFile(
            f"Codes up to {codes.max(axis=0).tolist()} per codebook",
            expected=f"codes from 0 to below {list(codebook_sizes)}",
            remedy="These codes belong to another codec: encode again.",
        )
    return codes
