"""Every common format holds what was put into it: the same length, the same sound, at the same place."""

import numpy as np
import pytest
from synthetic_voice import voice

from kaiku.audio.decode import mono, open_audio, read_mono
from kaiku.audio.segmentation import SegmentSettings, identity, segment

SECONDS = 2
FORMATS = {
    "pcm.wav": {"subtype": "PCM_16"},
    "unsigned.wav": {"subtype": "PCM_U8"},
    "deep.wav": {"subtype": "PCM_32"},
    "telephone.wav": {"subtype": "ULAW"},
    "float.aiff": {"subtype": "FLOAT"},
    "pcm.aiff": {"subtype": "PCM_16"},
    "a.flac": {},
    "vorbis.ogg": {"subtype": "VORBIS"},
    "opus.opus": {"codec": "libopus", "container": "ogg"},
    "sndfile.mp3": {},
    "lame.mp3": {"codec": "libmp3lame", "container": "mp3"},
    "aac.m4a": {"codec": "aac", "container": "ipod"},
    "alac.m4a": {"codec": "alac", "container": "ipod"},
    "aac.mp4": {"codec": "aac", "container": "mp4"},
    "raw.aac": {"codec": "aac", "container": "adts"},
    "opus.webm": {"codec": "libopus", "container": "webm"},
    "aac.mka": {"codec": "aac", "container": "matroska"},
    "pcm.caf": {"subtype": "PCM_16"},
}
RATES = {"telephone.wav": 8000, "sndfile.mp3": 44_100, "lame.mp3": 44_100}
DELAY = {"raw.aac": 1024}  # nothing tells of the encoder's delay there


def spoken(rate, channels=1):
    """Channels that are not alike, float32 [samples] or [samples, channels]."""
    if channels == 1:
        return voice(SECONDS, sample_rate=rate)
    return np.stack([voice(SECONDS, seed=k, sample_rate=rate) / (k + 1) for k in range(channels)], axis=1)


def likeness(found, wanted):
    """Correlation of two recordings over what both hold."""
    n = min(len(found), len(wanted))
    return np.corrcoef(found[:n], wanted[:n])[0, 1]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_holds_what_was_put_into_it(name, channels, write):
    rate = RATES.get(name, 48_000)
    sound = spoken(rate, channels)
    path = write(name, sound, rate, **FORMATS[name])
    with open_audio(path) as audio:
        assert (audio.sample_rate, audio.channels) == (rate, channels)
    found, _ = read_mono(path)
    assert abs(len(found) - len(sound)) <= 0.05 * rate
    assert likeness(found[DELAY.get(name, 0) :], mono(sound.reshape(len(sound), -1))) > 0.96


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 96_000, 192_000])
def test_a_rate_is_kept_and_cut_at(rate, write):
    pause = np.zeros(rate, np.float32)
    sound = np.concatenate([pause, spoken(rate), pause, spoken(rate), pause])
    done = segment(write("a.wav", sound, rate), SegmentSettings(mode="vad"))
    assert done.sample_rate == rate
    assert len(done.clips) == 2
    assert [round(clip.end_s - clip.start_s, 1) >= SECONDS for clip in done.clips] == [True, True]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.m4a", {"codec": "aac", "container": "ipod"}),
        ("a.webm", {"codec": "libopus", "container": "webm"}),
    ],
)
def test_six_channels_come_to_their_mean(name, how, write):
    sound = spoken(48_000, 6)
    path = write(name, sound, **how)
    (clip,) = identity(path).clips
    found, _ = read_mono(path)
    with open_audio(path) as audio:
        assert audio.channels == 6
    assert clip.end == len(found)
    assert likeness(found, sound.mean(axis=1)) > 0.9  # coded so, the fifth channel keeps its lowest tones alone


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a", "a.webm"])
def test_blocks_of_another_size_change_no_clip(name, write, monkeypatch):
    how = {"a.m4a": FORMATS["aac.m4a"], "a.webm": FORMATS["opus.webm"]}.get(name, {})
    pause = np.zeros(30_000, np.float32)
    path = write(name, np.concatenate([pause, spoken(48_000), pause, spoken(48_000), pause]), **how)
    usual = segment(path, SegmentSettings(mode="vad"))
    assert len(usual.clips) == 2
    for block in (1000, 1 << 20):
        monkeypatch.setattr("kaiku.audio.decoders.BLOCK", block)
        assert segment(path, SegmentSettings(mode="vad")) == usual
