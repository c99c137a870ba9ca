"""Faults planted into a synthetic voice: each is found in every clip, by the bounds that the documentation suggests."""

import io
import math

import numpy as np
import pytest
import soundfile
from synthetic_voice import recording, voice

from kaiku.audio.clips import ClipAudio
from kaiku.audio.resample import resample
from kaiku.checks import Described, bandwidth, dnsmos, duplicate, plosive, snr, speaker_outlier

RATE = 16_000
CLEAN = [recording(-0.6, 2.5, -0.6, seed=10 * seed) for seed in range(8)]


def measure(check, samples, sample_rate=RATE, **settings):
    return check.measure(ClipAudio(np.asarray(samples, np.float32), sample_rate), check.Settings(**settings))


def noise(samples, snr_db, seed=0):
    speech = np.mean(np.square(ClipAudio(samples, RATE).inside_speech(), dtype=np.float64))
    random = np.random.default_rng(seed).standard_normal(len(samples))
    return (samples + random * math.sqrt(speech * 10 ** (-snr_db / 10))).astype(np.float32)


def pop(samples, at_s, hz=45, length_s=0.06, level=0.4):
    n, start = round(length_s * RATE), round(at_s * RATE)
    samples = samples.copy()
    samples[start : start + n] += (level * np.hanning(n) * np.sin(2 * np.pi * hz * np.arange(n) / RATE)).astype(
        np.float32
    )
    return samples


def test_pops_are_counted():
    counts = [measure(plosive, pop(pop(clean, 0.3), 2.2))["pops"] for clean in CLEAN]
    assert counts == [2] * len(CLEAN)
    assert [measure(plosive, clean)["pops"] for clean in CLEAN] == [0] * len(CLEAN)


def test_a_pop_counts_however_loud_the_clip_is():
    quiet = pop(CLEAN[0], 0.3) * np.float32(0.01)
    assert measure(plosive, quiet)["pops"] == 1


def test_steady_rumble_and_a_low_voice_are_no_pops():
    rumble = 0.3 * np.sin(2 * np.pi * 45 * np.arange(len(CLEAN[0])) / RATE)
    assert measure(plosive, CLEAN[0] + rumble)["pops"] == 0
    assert measure(plosive, CLEAN[0] + np.float32(0.3))["pops"] == 0, "an offset"


@pytest.mark.parametrize("snr_db", [20, 10, 0])
def test_snr_is_what_was_added(snr_db):
    found = [measure(snr, noise(clean, snr_db, seed))["snr_db"] for seed, clean in enumerate(CLEAN)]
    assert found == pytest.approx([snr_db] * len(CLEAN), abs=1.5)
    assert all(measure(snr, clean)["snr_db"] > 30 for clean in CLEAN)


def test_snr_without_background_is_told_by_the_speech_alone():
    tight = [voice(2.5, seed) for seed in range(8)]
    for seed, clip in enumerate(tight):
        assert measure(snr, clip)["background_db"] is None
        noisy = measure(snr, noise(clip, 10, seed))["snr_db"]
        assert 7 < noisy < 11, "it may err to the low side"
        assert measure(snr, clip)["snr_db"] > noisy + 2, "a voice of numbers makes no pause"


def test_gated_background_is_not_taken_for_quiet():
    noisy = noise(CLEAN[0], 10)
    gated = noisy.copy()
    gated[: round(0.5 * RATE)] = gated[-round(0.5 * RATE) :] = 0
    measured = measure(snr, gated)
    assert measured["background_db"] is None
    assert measured["snr_db"] == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize("offset", [0.003, 0.01, -0.05])
def test_an_offset_is_no_noise_and_no_bandwidth(offset):
    for clean in (CLEAN[0], noise(CLEAN[1], 15)):
        for check in (snr, bandwidth):
            plain, moved = measure(check, clean), measure(check, clean + np.float32(offset))
            assert moved == pytest.approx(plain, abs=0.1)
    gated = CLEAN[0] + np.float32(offset)
    gated[: round(0.5 * RATE)] = gated[-round(0.5 * RATE) :] = 0
    assert measure(snr, gated)["background_db"] is None
    assert measure(bandwidth, np.full(RATE, offset)) == {"bandwidth_hz": None, "bandwidth_share": None}


def test_background_level():
    assert measure(snr, CLEAN[0])["background_db"] == pytest.approx(-80, abs=1)


def test_too_little_speech_has_no_snr():
    assert measure(snr, recording(-0.5, 0.6, -0.5))["snr_db"] is None


@pytest.mark.parametrize(("through_hz", "rate"), [(8_000, 16_000), (16_000, 48_000), (22_050, 44_100)])
def test_bandwidth_of_upsampled_sound(through_hz, rate):
    found = []
    for clean in (voice(2, seed, rate) for seed in range(4)):
        hiss = clean + np.random.default_rng(1).standard_normal(len(clean)).astype(np.float32) * 0.01
        narrow = resample(resample(hiss.astype(np.float32), rate, through_hz), through_hz, rate)
        found.append(measure(bandwidth, narrow, rate))
        assert measure(bandwidth, hiss, rate)["bandwidth_share"] == 1
    for measured in found:
        assert measured["bandwidth_hz"] == pytest.approx(through_hz / 2, rel=0.05)
        assert measured["bandwidth_share"] == pytest.approx(through_hz / rate, rel=0.05)


def test_a_whistle_and_a_click_are_no_bandwidth():
    narrow = resample(resample(CLEAN[0], RATE, 8_000), 8_000, RATE)[: len(CLEAN[0])]
    whistle = narrow + 0.05 * np.sin(2 * np.pi * 7_000 * np.arange(len(narrow)) / RATE)
    assert measure(bandwidth, whistle)["bandwidth_hz"] < 4_200
    click = narrow.copy()
    click[1000] = 0.9
    assert measure(bandwidth, click)["bandwidth_hz"] < 4_200


def test_opinions_fall_with_noise():
    clean, noisy = measure(dnsmos, CLEAN[0]), measure(dnsmos, noise(CLEAN[0], 5))
    for name in ("dnsmos_overall", "dnsmos_background", "dnsmos_p808"):
        assert clean[name] > noisy[name]


def test_opinions_are_those_of_the_authors_program():
    reference = pytest.importorskip("speechmos.dnsmos")
    for samples in (CLEAN[0], recording(-0.3, 6, -0.5, 5)):  # shorter and longer than a window
        theirs = reference.run(np.asarray(samples, np.float32), RATE)
        ours = measure(dnsmos, samples)
        for name, their_name in (("overall", "ovrl"), ("speech", "sig"), ("background", "bak"), ("p808", "p808")):
            assert ours[f"dnsmos_{name}"] == pytest.approx(float(theirs[f"{their_name}_mos"]), abs=1e-3)


# --- comparisons


def described(check, clips, speakers=None):
    vectors = np.array([check.describe(ClipAudio(np.asarray(clip, np.float32), rate)) for clip, rate in clips])
    names = tuple(f"clip-{n:03d}" for n in range(len(clips)))
    return Described(names, speakers or ("kai",) * len(clips), vectors)


def compare(check, of, wanted=None, **settings):
    places = range(len(of.clips)) if wanted is None else wanted
    return check.compare(of, places, check.Settings(**settings))


def encoded(samples, sample_rate, subtype):
    file = io.BytesIO()
    kind = "MP3" if subtype == "MPEG_LAYER_III" else "OGG"
    soundfile.write(file, samples, sample_rate, format=kind, subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


SENTENCES = [recording(-0.3, 1.5 + 0.2 * (seed % 4), -0.2, 1.2, -0.3, seed=100 + 10 * seed) for seed in range(12)]
COPIES = [
    lambda s: (0.25 * s, RATE),
    lambda s: (s[round(0.25 * RATE) :], RATE),  # of the silence before it
    lambda s: (s[round(0.4 * RATE) : -round(0.4 * RATE)], RATE),  # 100 ms of speech at either end as well
    lambda s: (np.concatenate([np.zeros(RATE, np.float32), s]), RATE),
    lambda s: (resample(s, RATE, 44_100), 44_100),
    lambda s: encoded(s, RATE, "VORBIS"),
    lambda s: encoded(s, RATE, "OPUS"),
    lambda s: encoded(0.5 * s[2000:-2000], RATE, "MPEG_LAYER_III"),
]


@pytest.mark.parametrize("copy", COPIES)
def test_every_copy_is_found_and_nothing_else(copy):
    originals = [(sentence, RATE) for sentence in SENTENCES]
    found = compare(duplicate, described(duplicate, originals + [copy(sentence) for sentence in SENTENCES]))
    n = len(SENTENCES)
    assert [m["duplicates"] for m in found] == [1] * 2 * n
    assert [m["duplicates_before"] for m in found] == [0] * n + [1] * n
    groups = [m["duplicate_group"] for m in found]
    assert groups[:n] == groups[n:] and len(set(groups)) == n


def test_no_sentence_is_another_one():
    found = compare(duplicate, described(duplicate, [(sentence, RATE) for sentence in SENTENCES]))
    assert [m["duplicates"] for m in found] == [0] * len(SENTENCES)
    assert {m["duplicate_group"] for m in found} == {None}
    assert max(m["duplicate_similarity"] for m in found) < 0.75


def test_of_three_copies_the_first_is_kept():
    clips = [(SENTENCES[0], RATE), (SENTENCES[1], RATE), (0.5 * SENTENCES[0], RATE), (0.2 * SENTENCES[0], RATE)]
    found = compare(duplicate, described(duplicate, clips))
    assert [m["duplicates"] for m in found] == [2, 0, 2, 2]
    assert [m["duplicates_before"] for m in found] == [0, 0, 1, 2]


def test_a_clip_alone_has_no_similarity():
    assert compare(duplicate, described(duplicate, [(SENTENCES[0], RATE)])) == [
        {"duplicates": 0, "duplicates_before": 0, "duplicate_similarity": None, "duplicate_group": None}
    ]


def word(seed, length_s=0.5):
    """A take of one word: a vowel of one voice that swells and fades, and noise that no other take has."""
    t = np.arange(round(length_s * RATE)) / RATE
    vowel = sum(np.sin(2 * np.pi * 120 * k * t) / (1 + abs(120 * k - 600) / 200) for k in range(1, 30))
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (0.1 * np.hanning(len(t)) * vowel + 0.002 * noise).astype(np.float32), RATE


def test_takes_of_a_short_word_are_not_compared_and_long_clips_are():
    copy = (0.5 * SENTENCES[0], RATE)
    of = described(duplicate, [word(1), (SENTENCES[0], RATE), word(2), copy, (SENTENCES[1], RATE)])
    found = compare(duplicate, of)
    assert [m["duplicates"] for m in found] == [None, 1, None, 1, 0]
    assert [m["duplicates_before"] for m in found] == [None, 0, None, 1, 0]
    assert set(found[0]) == set(duplicate.FIELDS) and set(found[0].values()) == {None}
    assert found[1]["duplicate_group"] == found[3]["duplicate_group"]
    assert compare(duplicate, of, [3, 2]) == [found[3], found[2]]
    taken_for_copies = compare(duplicate, of, min_s=0.3)
    assert [m["duplicates"] for m in taken_for_copies] == [1, 1, 1, 1, 0]


def test_a_corpus_of_short_clips_has_nothing_measured():
    of = described(duplicate, [word(seed) for seed in range(3)])
    assert compare(duplicate, of) == [dict.fromkeys(duplicate.FIELDS)] * 3
    assert compare(duplicate, of, []) == []


@pytest.mark.parametrize("check", [duplicate, speaker_outlier])
def test_a_clip_is_compared_alike_whatever_else_is_asked(check):
    of = described(check, [(sentence, RATE) for sentence in SENTENCES])
    settings = {"min_clips": 4} if check is speaker_outlier else {}
    whole = compare(check, of, **settings)
    assert compare(check, of, [7, 2], **settings) == [whole[7], whole[2]]
    assert compare(check, of, [], **settings) == []


def test_a_clip_of_another_channel_stands_apart():
    own = [(clip, RATE) for clip in SENTENCES]
    dull = np.convolve(SENTENCES[3], np.hanning(9) / 4, mode="same").astype(np.float32)
    found = compare(speaker_outlier, described(speaker_outlier, [*own, (dull, RATE)]), min_clips=4)
    values = [m["speaker_outlier"] for m in found]
    assert max(values[:-1]) < 3 < values[-1]


def test_speakers_are_looked_at_apart_and_few_clips_are_none():
    clips = [(clip, RATE) for clip in SENTENCES]
    of = described(speaker_outlier, clips, ("a",) * 9 + ("b",) * 3)
    found = [m["speaker_outlier"] for m in compare(speaker_outlier, of, min_clips=4)]
    assert None not in found[:9] and found[9:] == [None] * 3
    alone = described(speaker_outlier, clips[:9])
    assert [m["speaker_outlier"] for m in compare(speaker_outlier, alone, min_clips=4)] == found[:9]
