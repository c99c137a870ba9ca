"""Decoding: every format streams what it reads whole, and a damaged file is refused with what was found."""

import numpy as np
import pytest
from libav_files import add_picture

from kaiku.audio.decode import mono, open_audio, probe, read_mono
from kaiku.audio.decoders import BLOCK, LibavDecoder, SndfileDecoder
from kaiku.errors import DecodeError

FORMATS = {
    "a.wav": {"subtype": "PCM_16"},
    "b.wav": {"subtype": "FLOAT"},
    "a.flac": {"subtype": "PCM_24"},
    "a.aiff": {},
    "rf64.wav": {"format": "RF64"},
    "a.w64": {},
    "a.au": {"subtype": "PCM_16"},
    "vorbis.ogg": {"subtype": "VORBIS"},
    "opus.ogg": {"subtype": "OPUS"},
    "a.mp3": {},
    "a.m4a": {"codec": "aac", "container": "ipod"},
    "alac.m4a": {"codec": "alac", "container": "ipod"},
    "a.aac": {"codec": "aac", "container": "adts"},
    "flac.ogg": {"codec": "flac", "container": "ogg"},
    "ac3.wav": {"codec": "ac3", "container": "wav"},
    "mp3.wav": {"codec": "libmp3lame", "container": "wav"},
    "a.webm": {"codec": "libopus", "container": "webm"},
}
EXACT = {
    "a.wav": 1 / 32768,
    "b.wav": 0,
    "a.flac": 1 / (1 << 23),
    "a.aiff": 1 / 32768,
    "rf64.wav": 1 / 32768,
    "a.w64": 1 / 32768,
}
BITS = {"b.wav": 24, "a.flac": 24, "alac.m4a": 24}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_streams_what_it_reads_whole(name, tone, write):
    path = write(name, tone, **FORMATS[name])
    with open_audio(path) as audio:
        assert (audio.sample_rate, audio.channels, audio.bits) == (48_000, 2, BITS.get(name, 16))
        blocks = list(audio.blocks())
    assert all(block.dtype == np.float32 and block.shape[1] == 2 for block in blocks)
    assert [len(block) for block in blocks[:-1]] == [BLOCK] * 2
    samples, sample_rate = read_mono(path)
    assert sample_rate == 48_000
    assert samples.dtype == np.float32
    assert np.array_equal(samples, np.concatenate([mono(block) for block in blocks]))
    assert np.array_equal(samples, read_mono(path)[0])
    assert abs(len(samples) - len(tone)) <= 0.05 * 48_000  # encoder delay and padding
    assert abs(probe(path).duration_s - 3) < 0.1
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(np.argmax(spectrum) * 48_000 / len(samples) - 330) < 1
    if name in EXACT:
        assert np.abs(samples - mono(tone)).max() <= EXACT[name]


def test_content_decides_and_not_the_suffix(tone, write):
    flac = write("a.flac", tone)
    renamed = flac.rename(flac.with_name("a.mp3"))
    assert isinstance(open_audio(renamed)._decoder, SndfileDecoder)
    m4a = write("b.m4a", tone, codec="aac", container="ipod")
    assert isinstance(open_audio(m4a.rename(m4a.with_name("b.wav")))._decoder, LibavDecoder)


def test_an_mp3_is_libsndfile_s_where_its_tag_speaks_of_all_of_it(tone, write):
    tagged = write("a.mp3", tone, codec="libmp3lame", container="mp3")
    assert isinstance(open_audio(tagged)._decoder, SndfileDecoder)
    untagged = write("b.mp3", tone, codec="libmp3lame", container="mp3", write_xing="0")
    assert isinstance(open_audio(untagged)._decoder, LibavDecoder)
    samples, _ = read_mono(tagged)
    libav = LibavDecoder(tagged)
    expected = np.concatenate([mono(block) for block in libav.blocks()])
    libav.close()
    assert len(samples) == len(expected)
    np.testing.assert_allclose(samples, expected, atol=1e-5)


def test_a_tag_that_is_wrong_by_a_frame_refuses_no_mp3(tone, write):
    path = write("a.mp3", tone, codec="libmp3lame", container="mp3")
    whole, data = len(read_mono(path)[0]), bytearray(path.read_bytes())
    at = next(data.index(tag) for tag in (b"Xing", b"Info") if tag in data) + 8
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + 1).to_bytes(4, "big")
    path.write_bytes(data)
    assert isinstance(open_audio(path)._decoder, SndfileDecoder)
    assert 0 <= len(read_mono(path)[0]) - whole <= 1152


def test_a_tag_of_id3v1_behind_an_mp3_is_no_sound(tone, write):
    path = write("a.mp3", tone, codec="libmp3lame", container="mp3")
    whole = read_mono(path)[0]
    path.write_bytes(path.read_bytes() + b"TAG".ljust(128, b"\0"))
    assert isinstance(open_audio(path)._decoder, SndfileDecoder)
    assert np.array_equal(read_mono(path)[0], whole)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100])
def test_a_tag_behind_an_mp3_of_any_rate_is_no_sound(rate, tone, write):
    path = write("a.mp3", tone[:, :1], rate, codec="libmp3lame", container="mp3")
    path.write_bytes(path.read_bytes() + b"APETAGEX" + bytes(124))
    assert isinstance(open_audio(path)._decoder, LibavDecoder)
    assert open_audio(path).stated_frames == len(tone)
    assert abs(len(read_mono(path)[0]) - len(tone)) <= 576


@pytest.mark.parametrize("length", [1, 600, 4096])
def test_damage_within_an_mp3_is_found_whoever_reads_it(length, tone, write):
    path = write("a.mp3", tone, codec="libmp3lame", container="mp3")
    data = bytearray(path.read_bytes())
    at = data.index(data[data.index(b"\xff\xfb") :][:2], len(data) // 2)  # where a frame begins
    data[at : at + length] = bytes(length)
    path.write_bytes(data)
    assert isinstance(open_audio(path)._decoder, SndfileDecoder)
    with pytest.raises(DecodeError, match=r"damaged at .* with sound going on behind"):
        read_mono(path)


def test_peaks_above_full_scale_are_kept(tone, write):
    loud = write("loud.mp3", 3 * tone[:, :1], codec="libmp3lame", container="mp3")
    assert np.abs(read_mono(loud)[0]).max() > 1
    path = write("loud.wav", np.array([0.5, 1.36, -1.5], np.float32), subtype="FLOAT")
    assert read_mono(path)[0].tolist() == [0.5, np.float32(1.36), -1.5]


def test_mono_is_the_mean_of_any_number_of_channels():
    block = np.array([[1, 2, 6], [0, 0, 3]], np.float32)
    assert mono(block).tolist() == [3, 1]
    assert mono(block[:, :2]).tolist() == [1.5, 0]
    assert mono(block[:, :1]).tolist() == [1, 0]


VIDEOS = {
    "a.mp4": {"codec": "aac", "container": "mp4", "movflags": "faststart"},
    "a.mkv": {"codec": "libopus", "container": "matroska"},
}
BESIDE = [{"picture_s": 4}, {"begins_s": 0.5}, {"begins_s": 0.5, "picture_s": 4}]


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("name", VIDEOS)
def test_sound_that_ends_before_the_picture_or_begins_late_is_whole(name, beside, tone, write):
    path = write(name, tone, **VIDEOS[name], **beside)
    assert abs(len(read_mono(path)[0]) - len(tone)) <= 0.05 * 48_000
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DecodeError, match=r"cut off, .*3\.0\d s of audio"):
        read_mono(path)


CUT = ["a.wav", "ac3.wav", "mp3.wav", "a.aiff", "rf64.wav", "a.w64", "a.au", "a.flac", "a.mp3", "a.m4a", "a.webm"]


@pytest.mark.parametrize("name", CUT)
def test_a_file_cut_in_half_is_refused(name, tone, write):
    path = write(name, tone, **FORMATS[name])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DecodeError, match=name):
        read_mono(path)


def test_a_cut_off_file_tells_both_lengths(tone, write):
    path = write("a.wav", tone, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 4 * 48_000])
    with pytest.raises(DecodeError, match=r"48000 samples of the 14[34]\d\d\d .*3\.00 s of audio, found 1\.00 s"):
        read_mono(path)


@pytest.mark.parametrize(
    ("name", "sizes"), [("a.wav", [(4, 8), (40, 44)]), ("a.w64", [(16, 24), (120, 128)]), ("a.au", [(8, 12)])]
)
def test_a_file_whose_writer_could_not_know_its_length_is_whole(name, sizes, tone, write):
    path = write(name, tone, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    for start, end in sizes:
        data[start:end] = b"\xff" * (end - start)
    path.write_bytes(data)
    assert len(read_mono(path)[0]) == len(tone)


def test_a_flac_that_does_not_state_its_length_is_read_to_its_end(tone, write):
    path = write("a.flac", tone)
    whole = read_mono(path)[0]
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36 bits of total samples in STREAMINFO
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert probe(path).frames == len(tone)
    assert np.array_equal(read_mono(path)[0], whole)


def test_joined_mp3s_are_read_to_the_last(tone, write):
    one, two = write("1.mp3", tone), write("2.mp3", tone[:48_000])
    one.write_bytes(one.read_bytes() + two.read_bytes())
    assert len(read_mono(one)[0]) >= 4 * 48_000


def test_an_mp3_without_length_tag_is_read_to_its_end(tone, write):
    path = write("a.mp3", tone, codec="libmp3lame", container="mp3", write_xing="0")
    assert open_audio(path).stated_frames is None
    assert len(read_mono(path)[0]) >= len(tone)
    tagged = write("b.mp3", tone, codec="libmp3lame", container="mp3")
    assert abs(open_audio(tagged).stated_frames - len(tone)) <= 3 * 1152


def test_joined_oggs_are_read_to_the_last(tone, write):
    one, two = write("1.ogg", tone), write("2.ogg", tone[:48_000])
    one.write_bytes(one.read_bytes() + two.read_bytes())
    assert abs(len(read_mono(one)[0]) - 4 * 48_000) <= 4096


def test_rubbish_behind_the_sound_is_let_pass_and_within_it_is_not(tone, write):
    path = write("a.mp3", tone, codec="libmp3lame", container="mp3", write_xing="0")
    whole, data = len(read_mono(path)[0]), path.read_bytes()
    path.write_bytes(data + bytes(5000))
    assert len(read_mono(path)[0]) == whole
    path.write_bytes(data + bytes(5000) + data)
    with pytest.raises(DecodeError, match=r"damaged at .* with sound going on behind"):
        read_mono(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes"),
        (b"no sound here " * 99, "text, which begins 'no sound here"),
        (b"RIFF\x24\0\0\0WAVE", "malformed|Invalid|Error|0 samples"),
    ],
)
def test_what_is_no_audio_is_refused(data, said, tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=said) as refused:
        read_mono(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DecodeError, match="no such file"):
        open_audio(tmp_path / "x.wav")


def test_a_file_of_zero_samples_is_refused(write):
    with pytest.raises(DecodeError, match="0 samples"):
        read_mono(write("a.wav", np.zeros(0, np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(value, tone, write):
    tone[100_000, 1] = value
    with pytest.raises(DecodeError, match=r"sample 100000 \(2\.083 s\)"):
        read_mono(write("a.wav", tone, subtype="FLOAT"))


def test_a_video_without_sound_is_refused(tmp_path):
    import av

    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as file:
        add_picture(file, 1)
    with pytest.raises(DecodeError, match="no audio stream"):
        open_audio(path)


def test_a_playlist_is_not_followed(tmp_path, write, tone):
    target = write("a.aac", tone, codec="aac", container="adts")
    playlist = tmp_path / "x.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DecodeError):
        open_audio(playlist)
