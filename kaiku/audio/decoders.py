"""The two decoders behind `open_audio`: libsndfile where it reads to the true end, libav for everything else."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from kaiku.audio import faults, headers
from kaiku.errors import DecodeError

BLOCK = 1 << 16  # samples per channel in a block: 1.4 s at 48 kHz, 4 s at 16 kHz

# libsndfile takes a third less time for an mp3, but stops where its tag, or a guess from the first frame's bit rate,
# ends: a VBR file without tag loses two thirds, a file joined from two the second. So the tag must speak of all of it.
SNDFILE_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "MP3", "OGG", "AU", "CAF"}
UNRECOGNISED_FORMAT, UNSUPPORTED_ENCODING = 1, 4  # SF_ERR_...
# What libsndfile calls malformed though it is whole, and libav reads to its end: container and codec in libav's words.
LIBAV_KINDS = {("ogg", "flac"), ("wav", "ac3"), ("wav", "g722"), ("wav", "g726")}
UNKNOWN_LENGTH = 1 << 62  # libsndfile cannot stream a flac whose header leaves the length open
LIBAV_FORMATS = "aac,ac3,amr,asf,caf,flac,matroska,webm,mov,mp4,m4a,mp3,ogg,wav,w64,aiff"
MATROSKA_DURATION = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")
FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31}


class Decoder(Protocol):
    """One pass over one file. `frames`: samples per channel that the file itself states, None where it does not."""

    sample_rate: int
    channels: int
    bits: int
    frames: int | None

    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks float32 [BLOCK, channels], the last one shorter."""

    def close(self) -> None: ...


class SndfileDecoder:
    """Reads wav, aiff, flac, Ogg Vorbis, Ogg Opus, mp3 with a length tag; Opus at the rate that its header names."""

    def __init__(self, path: Path, sound_file):
        self._sound = sound_file
        self._path = path
        self.sample_rate = sound_file.samplerate
        self.channels = sound_file.channels
        self.bits = 24 if sound_file.subtype in {"PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_24", "ALAC_32"} else 16
        # libsndfile quietly shortens `frames` of a cut-off wav or aiff to what is there.
        self.frames = round(sound_file.frames / (1 - min(headers.missing_share(path), 0.999)))

    @classmethod
    def open(cls, path: Path) -> "SndfileDecoder | None":
        """The decoder, or None where the file is not libsndfile's to read."""
        import soundfile

        try:
            # By descriptor, so that the content decides and not the suffix; it is closed with the file, or on failure.
            sound = soundfile.SoundFile(os.open(path, os.O_RDONLY), closefd=True)
        except soundfile.LibsndfileError as error:
            if error.code == UNRECOGNISED_FORMAT or _kind_by_libav(path) in LIBAV_KINDS:
                return None
            if error.code == UNSUPPORTED_ENCODING:
                raise faults.unknown_coding(path, "libsndfile") from error
            raise faults.broken_header(path, error.error_string) from error
        if _is_read_to_its_end(path, sound):
            # After each read soundfile seeks to where it is, from where mp3 is decoded anew, to other last bits.
            sound.seekable = lambda: False
            return cls(path, sound)
        sound.close()
        return None

    def blocks(self) -> Iterator[np.ndarray]:
        import soundfile

        came, fault = 0, None
        while True:
            try:
                block = self._sound.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                fault = error.error_string
                break
            if not len(block):
                break
            came += len(block)
            yield block
        is_short = came != self._sound.frames
        if is_short and self._sound.format == "MP3":
            _refuse_damage(self._path)  # which libsndfile passes over; a tag may be wrong by a frame, too
        if fault is not None or (is_short and self._sound.format == "FLAC"):
            raise faults.broken_inside(self._path, fault or "", came, self.frames)

    def close(self) -> None:
        self._sound.close()


def _is_read_to_its_end(path: Path, sound) -> bool:
    if sound.format not in SNDFILE_FORMATS or sound.frames >= UNKNOWN_LENGTH:
        return False
    if sound.subtype.startswith("MPEG"):
        return sound.format == "MP3" and headers.mp3_is_one_stream(path)
    return sound.format != "OGG" or headers.ogg_has_one_stream(path)


def _open_by_libav(path: Path):
    """The file with a stream of audio in it that libav can decode; a DecodeError where there is none."""
    import av

    try:
        container = av.open(
            f"file:{path}",
            # Playlists and other formats that open further files or addresses are left out.
            options={"format_whitelist": LIBAV_FORMATS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        )
    except av.error.FFmpegError as error:
        raise faults.unknown(path, error.strerror) from error
    if not container.streams.audio:
        container.close()
        raise DecodeError(f"{path}: no audio stream in this {container.format.long_name} file")
    if container.streams.audio[0].codec_context is None:
        container.close()
        raise faults.unknown_coding(path, "libav")
    return container


def _kind(container) -> tuple[str, str]:
    """Container and codec in libav's words."""
    return container.format.name, container.streams.audio[0].codec_context.name


def _kind_by_libav(path: Path) -> tuple[str, str] | None:
    try:
        with _open_by_libav(path) as container:
            return _kind(container)
    except DecodeError:
        return None


class LibavDecoder:
    """Reads m4a, aac, webm, other mp3 and what else libav knows, from local files only."""

    def __init__(self, path: Path):
        self._path = path
        self._container = _open_by_libav(path)
        self._stream = self._container.streams.audio[0]
        self._stream.codec_context.thread_count = 1
        self._frames = self._decode()
        self._first = next(self._frames, None)
        if self._first is None:
            self.close()
            raise DecodeError(f"{path}: not one sample could be decoded", expected="audio", remedy=faults.AGAIN)
        # Only a decoded frame knows the true rate: AAC with spectral band replication doubles the header's.
        self.sample_rate = self._first.sample_rate
        self.channels = self._first.layout.nb_channels
        self.bits = 24 if self._stream.codec_context.codec.lossless and self._first.format.bits > 16 else 16
        self.frames = self._stated_frames()

    def _stated_frames(self) -> int | None:
        name = self._container.format.name
        if name == "mp3":
            return headers.mp3_frames(self._path)
        if name.startswith("matroska"):
            seconds = self._matroska_s()
        elif name.startswith("mov") or _kind(self._container) in LIBAV_KINDS or headers.missing_share(self._path):
            seconds = (self._stream.duration or 0) * self._stream.time_base
        else:
            seconds = None  # libav guesses from the bit rate
        return round(seconds * self.sample_rate) if seconds else None

    def _matroska_s(self) -> float | None:
        """Seconds of sound. What the file states is where its longest stream ends; a tag may say it of each.

        mkvmerge's tag counts from the stream's beginning: of sound that begins late, less is asked for then.
        """
        if len(self._container.streams) == 1 and self._container.duration:
            end_s = self._container.duration / 1e6
        else:
            tags = (value for name, value in self._stream.metadata.items() if name.startswith("DURATION"))
            stated = MATROSKA_DURATION.match(next(tags, ""))
            if stated is None:
                return None
            hours, minutes, seconds = map(float, stated.groups())
            end_s = 3600 * hours + 60 * minutes + seconds
        return max(0.0, end_s - float((self._stream.start_time or 0) * self._stream.time_base))

    def _decode(self) -> Iterator:
        """Frames in order; packets that do not decode are let pass only where no sound comes after them."""
        import av

        broken = None
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    broken = broken or packet
                    continue
                if frames and broken:
                    raise DecodeError(
                        f"{self._path}: damaged {_time_of(broken)}, with sound going on behind",
                        expected="a whole file",
                        remedy="Copy or download it again.",
                    )
                yield from frames
        except av.error.FFmpegError as error:
            raise DecodeError(
                f"{self._path}: damaged (libav says {error.strerror!r})", expected="a whole file", remedy=faults.AGAIN
            ) from error

    def blocks(self) -> Iterator[np.ndarray]:
        import av

        queue = av.AudioFifo()  # joins frames of 1024 or so in C: a numpy array for each would cost more than decoding
        for frame in itertools.chain([self._first], self._frames):
            self._check_same_kind(frame)
            frame.pts = None  # the queue would refuse a gap in time; what counts here is the samples
            queue.write(frame)
            while queue.samples >= BLOCK:
                yield self._samples(queue.read(BLOCK))
        if queue.samples:
            yield self._samples(queue.read(queue.samples))

    def _check_same_kind(self, frame) -> None:
        if (frame.sample_rate, frame.layout.nb_channels) != (self.sample_rate, self.channels):
            raise DecodeError(
                f"{self._path}: changes within the file to {frame.sample_rate} Hz, {frame.layout.nb_channels} channels",
                expected=f"{self.sample_rate} Hz, {self.channels} channels throughout",
                remedy="Split the file where it changes.",
            )

    def _samples(self, frame) -> np.ndarray:
        data = frame.to_ndarray()  # [channels, n], or [1, n * channels] where packed
        samples = data.T if frame.format.is_planar else data.reshape(-1, self.channels)
        kind = frame.format.name.removesuffix("p")
        if kind in FULL_SCALE:
            offset = 128 if kind == "u8" else 0
            samples = (samples.astype(np.float64) - offset) / FULL_SCALE[kind]
        return samples.astype(np.float32, copy=False)

    def close(self) -> None:
        self._container.close()


def _refuse_damage(path: Path) -> None:
    """Raise DecodeError with the time of the first packet that does not decode, where sound comes after it."""
    decoder = LibavDecoder(path)
    try:
        for _ in decoder.blocks():
            pass
    finally:
        decoder.close()


def _time_of(packet) -> str:
    return "somewhere" if packet.pts is None else f"at {float(packet.pts * packet.time_base):.2f} s"


def open_decoder(path: Path) -> Decoder:
    """The decoder for a file, chosen by its content."""
    return SndfileDecoder.open(path) or LibavDecoder(path)
