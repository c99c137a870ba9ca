"""What is done to a clip, measured on tones and on speech of syllables."""

import numpy as np
import pytest

from kaiku.augmentation.noises import drawn_noise, excerpt, noise_files
from kaiku.augmentation.settings import DerivedSettings, NoiseSettings
from kaiku.augmentation.sound import augment, coloured_noise, derived_length, described, speech_power, with_noise
from kaiku.errors import KaikuError

RATE = 16_000


def tone(hz=220.0, seconds=1.0, rate=RATE, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def syllables():
    """A tone of 0.3 s, silence of 0.3 s, three times."""
    return np.concatenate([part for _ in range(3) for part in (tone(seconds=0.3), np.zeros(4800, np.float32))])


def pitch_hz(samples, rate=RATE):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return np.argmax(spectrum) * rate / (1 << 18)


def made(samples, drawn="a", **own):
    return augment(samples, RATE, DerivedSettings(of="x", **own), drawn)


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.95, 1.1, 2.0])
def test_speed_changes_length_and_pitch_together(speed):
    found = made(tone(), speed=speed)
    assert len(found) == round(RATE / speed) == derived_length(RATE, DerivedSettings(of="x", speed=speed))
    assert pitch_hz(found[1000:-1000]) == pytest.approx(220 * speed, rel=0.005)


@pytest.mark.parametrize("tempo", [0.8, 1.25])
def test_tempo_changes_length_alone(tempo):
    found = made(tone(), tempo=tempo)
    assert len(found) == round(RATE / tempo)
    assert pitch_hz(found[2000:-2000]) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("semitones", [-5.0, 2.0, 7.0])
def test_pitch_changes_pitch_alone(semitones):
    found = made(tone(), pitch_semitones=semitones)
    assert len(found) == RATE
    assert pitch_hz(found[2000:-2000]) == pytest.approx(220 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [0.0, 15.0, 30.0])
def test_noise_lies_exactly_so_far_below_the_speech_pauses_left_out(colour, snr_db):
    speech = syllables()
    noise = made(speech, noise={"snr_db": snr_db, "colour": colour}).astype(np.float64) - speech
    speech_db = 10 * np.log10(np.mean(np.square(tone(seconds=0.3), dtype=np.float64)))
    assert 10 * np.log10(speech_power(speech, RATE)) == pytest.approx(speech_db, abs=0.1)
    assert speech_db - 10 * np.log10(np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)


def test_an_offset_is_no_speech():
    speech = 0.1 * syllables()
    moved = speech + np.float32(0.03)
    assert speech_power(moved, RATE) == pytest.approx(speech_power(speech, RATE), rel=1e-4)
    assert speech_power(np.full(RATE, 0.03, np.float32), RATE) == 0


def test_pink_noise_falls_by_3_db_an_octave():
    spectrum = np.abs(np.fft.rfft(coloured_noise("pink", 1 << 16, np.random.default_rng(0)))) ** 2
    octaves = [10 * np.log10(spectrum[n : 2 * n].mean()) for n in (256, 512, 1024, 2048, 4096, 8192)]
    assert np.diff(octaves) == pytest.approx([-3.01] * 5, abs=0.6)


def test_noise_is_drawn_by_the_clip_and_the_salt_and_by_nothing_else():
    own = {"noise": {"snr_db": 10}}
    assert np.array_equal(made(tone(), **own), made(tone(), **own))
    assert not np.array_equal(made(tone(), "a", **own), made(tone(), "b", **own))
    assert not np.array_equal(made(tone(), **own), made(tone(), noise={"snr_db": 10, "salt": "2"}))


@pytest.mark.parametrize("samples", [1, 3, 500])
def test_short_clips_and_silence(samples):
    silent = np.zeros(samples, np.float32)
    assert not made(silent, noise={"snr_db": 5}).any(), "silence has no level to lay noise against"
    everything = made(tone(seconds=1)[:samples], speed=1.3, tempo=0.9, pitch_semitones=1, noise={"snr_db": 3})
    assert len(everything) == max(1, round(max(1, round(samples / 1.3)) / 0.9)) and np.isfinite(everything).all()


def test_what_was_done_is_told():
    own = DerivedSettings(of="x", speed=0.9, pitch_semitones=-2, noise={"snr_db": 15, "colour": "pink"})
    assert described(own) == "speed 0.9, pitch -2 st, pink noise at 15 dB"


def test_nothing_to_do_is_refused():
    with pytest.raises(ValueError, match="nothing is changed"):
        DerivedSettings(of="x")


# --- recorded noise


@pytest.fixture
def noises(tmp_path):
    import soundfile

    rng = np.random.default_rng(1)
    for number, (rate, seconds) in enumerate([(8_000, 0.2), (16_000, 3.0), (44_100, 2.0), (16_000, 1.0)]):
        samples = rng.normal(0, 0.1, (int(rate * seconds), 1 + number % 2)).astype(np.float32)
        soundfile.write(tmp_path / f"noise-{number}.wav", samples, rate)
    (tmp_path / "readme.txt").write_text("not a recording")
    return tmp_path


def test_an_excerpt_has_the_length_and_the_samples_of_its_recording(noises):
    from kaiku.audio.decode import read_mono

    found = excerpt(noises / "noise-1.wav", 16_000, RATE, np.random.default_rng(5))
    whole, _ = read_mono(noises / "noise-1.wav")
    starts = [n for n in range(len(whole) - len(found) + 1) if whole[n] == found[0]]
    assert any(np.array_equal(whole[n : n + len(found)], found) for n in starts)
    for path in noise_files(noises):
        assert len(excerpt(path, 40_000, RATE, np.random.default_rng(5))) == 40_000


def test_a_short_recording_is_repeated(noises):
    found = excerpt(noises / "noise-0.wav", 16_000, RATE, np.random.default_rng(0))
    assert np.array_equal(found[:3200], found[3200:6400])


def test_another_recording_moves_only_the_clips_that_draw_it(noises):
    clips = [f"clip {number}" for number in range(300)]
    three = dict.fromkeys("abc")
    before = {clip: drawn_noise(three, clip) for clip in clips}
    after = {clip: drawn_noise({**three, "d": None}, clip) for clip in clips}
    moved = [clip for clip in clips if before[clip] != after[clip]]
    assert {after[clip] for clip in moved} == {"d"} and 40 < len(moved) < 120
    assert set(before.values()) == set("abc")


def test_a_silent_recording_is_told(noises):
    import soundfile

    soundfile.write(noises / "silent.wav", np.zeros(16_000), RATE)
    with pytest.raises(KaikuError, match=r"silent\.wav: digital silence"):
        excerpt(noises / "silent.wav", 100, RATE, np.random.default_rng(0))


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(KaikuError, match="no noise recordings"):
        noise_files(tmp_path)


def test_level_is_kept_whatever_the_noise():
    speech = syllables()
    loud = with_noise(speech, 1000 * np.ones(len(speech)), RATE, 12.0) - speech.astype(np.float64)
    assert 10 * np.log10(speech_power(speech, RATE) / np.mean(loud**2)) == pytest.approx(12, abs=0.05)
    assert NoiseSettings(snr_db=12).colour == "white"
