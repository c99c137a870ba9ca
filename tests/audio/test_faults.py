"""What is said of a file that does not decode: its path, what it is instead, and what to do."""

import errno
import os

import numpy as np
import pytest

from kaiku.audio.decode import open_audio, read_mono
from kaiku.errors import DecodeError

AAC = {"codec": "aac", "container": "ipod"}
CONTENTS = {
    "page.wav": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "pointer.wav": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
    "notes.wav": ("ei ääntä täällä\n".encode() * 99, "text, which begins 'ei ääntä täällä"),
    "long-notes.wav": (("ääni" * 3000).encode(), "text, which begins 'ääniääni"),
    "archive.wav": (b"PK\x03\x04" + bytes(range(200)), "a zip archive.*Unpack"),
    "picture.wav": (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "a PNG picture"),
    "reserved.mp3": (bytes(5000), "5000 bytes that begin with zeros"),
    "noise.mp3": (np.random.default_rng(0).bytes(20_000), "not recognised as audio"),
    "tag-only.mp3": (b"ID3\x04\0\0\0\0\x02\x01" + bytes(257), "not recognised as audio"),
    "empty.wav": (b"", "0 bytes"),
    "no-data.wav": (b"RIFF\x24\0\0\0WAVE", "damaged or cut off at its beginning"),
}
HEADS = {
    "a.mp3": ({}, 100, "damaged or cut off at its beginning; it ends within its header"),
    "a.wav": ({}, 44, "0 samples"),
    "a.flac": ({}, 42, "damaged or cut off after 0 of 144000 samples"),
    "a.ogg": ({}, 60, "damaged or cut off at its beginning"),
    "a.m4a": (AAC, 60, "an mp4 without its index"),
    "a.aac": ({"codec": "aac", "container": "adts"}, 20, "not one sample|not recognised"),
    "a.webm": ({"codec": "libopus", "container": "webm"}, 60, "not recognised as audio|0 samples"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_no_audio_is_called_what_it_is(name, tmp_path):
    content, said = CONTENTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DecodeError, match=said) as refused:
        read_mono(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")
    assert refused.value.remedy


@pytest.mark.parametrize("name", HEADS)
def test_a_header_alone_is_no_recording(name, tone, write):
    how, size, said = HEADS[name]
    path = write(name, tone, **how)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DecodeError, match=said) as refused:
        read_mono(path)
    assert "does not exist" not in str(refused.value)  # libsndfile's words for an mp3 that ends too soon
    assert refused.value.remedy


def test_damage_within_a_flac_is_told_with_its_place(tone, write):
    path = write("a.flac", tone)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"damaged or cut off after 65536 of 144000 samples.*Copy or download"):
        read_mono(path)


def test_damage_within_flac_in_an_ogg_is_told(tone, write):
    path = write("a.ogg", tone, codec="flac", container="ogg")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"cut off, \d+ samples of the 144000"):
        read_mono(path)


def test_a_coding_that_libsndfile_does_not_know_is_not_called_damage(tone, write):
    with pytest.raises(DecodeError, match=r"a coding that libsndfile does not know.*Convert it") as refused:
        read_mono(write("a.caf", tone, codec="alac", container="caf"))
    assert "malformed" not in str(refused.value)


def test_a_coding_that_nobody_knows_is_refused(tone, write):
    path = write("a.wav", tone)
    data = bytearray(path.read_bytes())
    data[20] = 4  # the code of the format, which nobody was given
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="damaged or cut off at its beginning"):
        read_mono(path)


def test_what_is_no_file_is_called_what_it_is(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    for name, said in (("folder.wav", "a folder"), ("link.wav", "a link to .*gone.wav, which is not there")):
        with pytest.raises(DecodeError, match=said):
            open_audio(tmp_path / name)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "Permission denied.*the right to read"), (errno.EIO, "Input/output error.*Look at the disk")],
)
def test_what_the_system_does_not_let_one_read_is_told(number, said, tone, write, monkeypatch):
    path = write("a.wav", tone)

    def refuse(name, *_):
        raise OSError(number, os.strerror(number), str(name))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DecodeError, match=said) as refused:
        read_mono(path)
    assert str(path) in str(refused.value)
