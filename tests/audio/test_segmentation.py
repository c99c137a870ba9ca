"""Segmentation: cuts lie in pauses, every second is accounted for, memory does not grow with the recording."""

import numpy as np
import pytest
from pydantic import ValidationError
from synthetic_voice import recording, voice

from kaiku.audio.decode import read_mono
from kaiku.audio.flac import decode_flac
from kaiku.audio.history import History
from kaiku.audio.segmentation import Segmentation, SegmentSettings, identity, segment
from kaiku.errors import DecodeError

VAD = SegmentSettings(mode="vad")


def test_sentences_become_clips_that_begin_and_end_in_silence(write):
    samples = recording(-1, 3, -0.6, 2, -2.5, 4, -1)
    done = segment(write("a.wav", samples, 16_000), VAD)
    speech = [(1.0, 4.0), (4.6, 6.6), (9.1, 13.1)]
    assert len(done.clips) == 3
    for clip, (start_s, end_s) in zip(done.clips, speech):
        assert start_s - 0.2 <= clip.start_s <= start_s
        assert end_s <= clip.end_s <= end_s + 0.3
        edges = np.concatenate([samples[clip.start - 160 : clip.start + 160], samples[clip.end - 160 : clip.end + 160]])
        assert np.abs(edges).max() < 1e-3  # silence, where the voice peaks at 0.5


def test_every_second_is_in_a_clip_or_left_out(write):
    samples = recording(-2, 3, -0.2, 20, -0.7, 0.5, -3, 2, -2)
    done = segment(write("a.wav", samples, 16_000), VAD)
    assert done.recording_s == len(samples) / 16_000
    assert (done.sample_rate, done.channels, done.peak) == (16_000, 1, pytest.approx(np.abs(samples).max(), abs=1e-4))
    assert sum(round(clip.end_s * 16_000) - round(clip.start_s * 16_000) for clip in done.clips) + round(
        done.left_out_s * 16_000
    ) == len(samples)
    assert all(clip.end_s - clip.start_s <= 15 for clip in done.clips)
    assert len(done.clips) == 4  # the voice of 20 s in two, the half second with its second part
    assert done.left_out_s > 5


def test_a_clip_holds_the_samples_between_its_ends(write):
    path = write("a.wav", recording(-0.5, 2, -1, 2, -0.5, sample_rate=44_100), 44_100)
    samples, _ = read_mono(path)
    done = segment(path, VAD)
    assert len(done.clips) == 2
    for clip in done.clips:
        decoded, sample_rate = decode_flac(clip.flac)
        assert sample_rate == clip.sample_rate == 44_100
        assert np.array_equal(decoded, samples[clip.start : clip.end])
        assert clip.peak == np.abs(decoded).max()
        assert clip.gain_db == 0


def test_speech_without_a_pause_is_cut_where_it_is_quietest(write):
    monologue = voice(12)
    at = round(6.3 * 16_000)
    monologue[at - 480 : at + 480] *= 0.01  # 60 ms, too short for the detector
    done = segment(write("a.wav", monologue, 16_000), SegmentSettings(mode="vad", max_s=8))
    assert len(done.clips) == 2
    assert abs(done.clips[0].end - at) <= 160
    assert done.clips[1].start == done.clips[0].end
    assert done.left_out_s < 0.2


def test_a_recording_that_begins_within_a_word_is_kept_from_its_start(write):
    samples = recording(4, -1, 2, -1)[16_000 * 3 // 10 :]
    done = segment(write("a.wav", samples, 16_000), VAD)
    assert done.clips[0].start == 0


def test_no_speech_gives_no_clips(write):
    silence = write("a.wav", recording(-20), 16_000)
    done = segment(silence, VAD)
    assert done.clips == ()
    assert done.left_out_s == done.recording_s == 20


def test_peaks_above_full_scale_are_turned_down_and_come_back(write):
    samples = recording(-0.5, 2, -1, 2, -0.5)
    samples[: len(samples) // 2] *= 3
    done = segment(write("a.wav", samples, 16_000, subtype="FLOAT"), VAD)
    loud, soft = done.clips
    assert loud.peak == pytest.approx(np.abs(samples).max())
    assert loud.gain_db == pytest.approx(-20 * np.log10(loud.peak), abs=0.01)
    assert loud.gain_db * 100 == pytest.approx(round(loud.gain_db * 100))
    stored, _ = decode_flac(loud.flac)
    assert 0.99 < np.abs(stored).max() <= 1
    restored, _ = decode_flac(loud.flac, loud.gain_db)
    assert np.abs(restored - samples[loud.start : loud.end]).max() < 1e-6  # 24 bit
    assert soft.gain_db == 0
    assert done.peak == loud.peak


def test_memory_does_not_grow_with_the_recording(write):
    sentence = recording(-0.4, 3, -0.7, 2, -0.4)
    most = []
    for times in (10, 40):
        work = Segmentation(write(f"{times}.wav", np.tile(sentence, times), 16_000), VAD)
        assert sum(1 for _ in work) == 2 * times
        most.append(work.most_held / 16_000)
    assert most[1] <= most[0]
    assert most[1] <= 2 * VAD.max_s + 15


@pytest.mark.parametrize("kind", [voice, lambda seconds: recording(-seconds)], ids=["monologue", "silence"])
def test_memory_does_not_grow_with_a_monologue_or_a_silence(kind, write):
    work = Segmentation(write("a.wav", np.tile(kind(10), 20), 16_000), VAD)
    clips = list(work)
    assert sum(clip.end - clip.start for clip in clips) in (0, work.samples)
    assert work.most_held / 16_000 <= 3 * VAD.max_s + 15


def test_the_same_bytes_give_the_same_clips(write):
    path = write("a.mp3", recording(-0.5, 2, -1, 2, -0.5, sample_rate=44_100), 44_100)
    assert segment(path, VAD) == segment(path, VAD)


def test_identity_refers_to_a_lossless_file_and_stores_a_lossy_one(write):
    samples = recording(-0.3, 2, -0.3, sample_rate=48_000)
    wav, mp3 = write("a.wav", samples), write("a.mp3", samples)
    (clip,) = identity(wav).clips
    assert (clip.start, clip.end, clip.flac, clip.gain_db) == (0, len(samples), None, 0)
    done = identity(mp3)
    (clip,) = done.clips
    decoded, _ = decode_flac(clip.flac)
    assert done.left_out_s == 0
    assert clip.end == len(decoded)
    assert np.abs(decoded - read_mono(mp3)[0]).max() <= 0.5 / 32768


def test_identity_reads_what_it_refers_to(write):
    broken = recording(-0.3, 1)
    broken[5000] = np.nan
    with pytest.raises(DecodeError, match="sample 5000"):
        identity(write("a.wav", broken, 16_000, subtype="FLOAT"))


def test_auto_cuts_only_what_is_longer_than_a_clip(write):
    short, long = recording(-0.5, 2, -1, 2, -0.5), recording(-0.5, 8, -1, 8, -0.5)
    assert len(segment(write("short.wav", short, 16_000), SegmentSettings()).clips) == 1
    assert len(segment(write("long.wav", long, 16_000), SegmentSettings()).clips) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"min_s": 8}, "twice min_s"), ({"pause_ms": 2000}, "max_pause_ms"), ({"min_s": 0.5, "max_s": 2}, "no room")],
)
def test_settings_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        SegmentSettings(**settings)


def test_history_reads_across_blocks_and_forgets():
    history = History(1000)
    for k in range(5):
        history.append(np.arange(100 * k, 100 * k + 100, dtype=np.float32))
    assert history.read(90, 310).tolist() == list(range(90, 310))
    history.forget(250)
    assert history.held == 300
    assert history.read(200, 500).tolist() == list(range(200, 500))
    with pytest.raises(IndexError, match="not among those held, 200 to 500"):
        history.read(199, 300)


def test_quietest_is_the_middle_of_the_least_power():
    history, samples = History(1000), np.ones(1000, np.float32)
    samples[630:690] = 0.1
    history.append(samples)
    assert history.quietest(0, 1000) == 660
    assert history.quietest(0, 500) == 30
    assert history.quietest(100, 150) == 125
    assert history.quietest(100, 100) == 100


def test_an_edge_is_the_quiet_place_nearest_to_its_margin():
    speech, breath, pause = (
        np.full(1000, 0.5, np.float32),
        np.full(400, 0.05, np.float32),
        np.full(1000, 1e-4, np.float32),
    )
    history = History(1000)
    history.append(np.concatenate([pause, speech, breath, pause]))
    assert history.edge((1000, 2000), 2150, 2700) == 2430  # behind the breath
    assert history.edge((1000, 2000), 2150, 2300) == 2150  # which is all there is within reach
    assert history.edge((1000, 2000), 850, 500) == 850  # nothing before the speech
    turned = History(1000)
    turned.append(np.concatenate([pause, breath, speech, pause]))
    assert turned.edge((1400, 2400), 1250, 700) == 970
    assert turned.edge((1400, 2400), 2550, 2900) == 2550
