"""Streams in pieces come as MPEG-TS, which is no file of recordings: their packets are copied, none encoded anew."""

from pathlib import Path

from kaiku.collect.web import Unreachable

PACKET = 188
"""Bytes of a packet of MPEG-TS; each begins with SYNC (ISO/IEC 13818-1, 2.4.3.2)."""
SYNC = 0x47
PLAIN = {"aac": ("adts", ".aac"), "mp3": ("mp3", ".mp3"), "mp2": ("mp2", ".mp2"), "ac3": ("ac3", ".ac3")}
"""For a codec, libav's name of the plain file of its packets, and that file's suffix."""


def out_of_transport_stream(path: Path) -> Path:
    """The audio of an MPEG-TS file as a plain file beside it, which takes its place; any other file as it is.

    Raises Unreachable where the stream has no audio, or audio of a codec that has no plain file.
    """
    with open(path, "rb") as f:
        head = f.read(3 * PACKET)
    if len(head) < 3 * PACKET or any(head[at] != SYNC for at in range(0, 3 * PACKET, PACKET)):
        return path
    import av

    try:
        with av.open(str(path), format="mpegts", metadata_errors="ignore") as source:
            if not source.streams.audio:
                raise Unreachable("the stream that came has no audio")
            audio = source.streams.audio[0]
            if audio.codec_context.name not in PLAIN:
                raise Unreachable(
                    f"the stream that came has audio in {audio.codec_context.name}, which is not read here"
                )
            kind, suffix = PLAIN[audio.codec_context.name]
            plain = path.with_name(f"{path.stem}.plain{suffix}")
            with av.open(str(plain), "w", format=kind) as target:
                copied = target.add_stream_from_template(audio)
                for packet in source.demux(audio):
                    if packet.dts is not None:  # the last one is empty
                        packet.stream = copied
                        target.mux(packet)
    except av.error.FFmpegError as error:
        raise Unreachable(f"the stream that came cannot be read ({error.strerror})") from error
    path.unlink()
    return plain
