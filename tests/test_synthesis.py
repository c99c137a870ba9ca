"""Samples: chosen and seeded by what is said, the same in any company, whole on disk."""

from dataclasses import dataclass

import numpy as np
import pytest

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Generation
from kaiku.synthesis import SynthesisSettings, choose, read_samples, seed_of, synthesize, write_samples


@dataclass(frozen=True)
class Said:
    speaker: str
    text: str
    codes: np.ndarray


def said(speaker, text, frames=5):
    return Said(speaker, text, np.full((frames, 2), len(text), np.uint16))


class Drone:
    """A codec of 10 frames a second whose code is the amplitude, in tenths."""

    name, sample_rate, hop, codebook_sizes, decodes = "drone", 1000, 100, (64, 64), True

    def decode(self, codes):
        return np.repeat(codes[:, 0].astype(np.float32) / 10, self.hop)


class Dice:
    """A family that throws as many random frames as the text has letters, in chunks of three."""

    def prompt(self, text, speaker):
        return text, speaker

    def generate(self, model, prompt, *, seed, limits):
        assert (limits.temperature, limits.top_p) == (0.6, 0.9)
        return Generation(self._chunks(len(prompt[0]), limits.max_frames, np.random.default_rng(seed)))

    def _chunks(self, wanted, most, random):
        codes = random.integers(0, 20, (min(wanted, most), 2)).astype(np.uint16)
        for start in range(0, len(codes), 3):
            yield codes[start : start + 3]
        return wanted < most


SENTENCES = [said(speaker, f"{speaker} sanoo {n}") for speaker in ("aino", "eero") for n in range(6)]
SETTINGS = SynthesisSettings(sentences=4, max_seconds=2.0)


def test_choice_takes_speakers_in_turn_and_depends_on_no_order():
    chosen = choose(SENTENCES, 5)
    assert [s.speaker for s in chosen] == ["aino", "eero", "aino", "eero", "aino"]
    assert choose(SENTENCES[::-1], 5) == chosen
    assert choose([*SENTENCES, said("aino", "aino sanoo 0", frames=9)], 99) != [], "a text read twice stands once"
    assert len(choose([*SENTENCES, said("aino", "aino sanoo 0", frames=9)], 99)) == len(SENTENCES)


def test_samples_are_the_same_in_any_company():
    together = {s.id: s for s in synthesize(Dice(), None, Drone(), {"val": SENTENCES}, SETTINGS)}
    assert len(together) == 4
    for sentence in choose(SENTENCES, 4):
        (alone,) = synthesize(Dice(), None, Drone(), {"val": [sentence]}, SETTINGS)
        np.testing.assert_array_equal(alone.codes, together[alone.id].codes)
        np.testing.assert_array_equal(alone.audio, together[alone.id].audio)


def test_seeds_differ_by_sentence_and_move_with_the_run():
    seeds = {seed_of(sentence, 0) for sentence in SENTENCES}
    assert len(seeds) == len(SENTENCES)
    assert {seed_of(sentence, 7) for sentence in SENTENCES} == {(seed + 7) % 2**31 for seed in seeds}


def test_what_a_sample_holds():
    (sample,) = synthesize(Dice(), None, Drone(), {"train": [said("aino", "kissa", frames=8)]}, SETTINGS)
    assert sample.codes.shape == (5, 2) and sample.codes.dtype == np.uint16
    assert len(sample.audio) == 500 and len(sample.reference_audio) == 800
    assert (sample.seconds, sample.reference_seconds) == (0.5, 0.8)
    assert sample.ended and sample.split == "train" and sample.id.startswith("train-")


def test_a_model_that_does_not_stop_is_cut_and_said_so():
    (sample,) = synthesize(Dice(), None, Drone(), {"val": [said("aino", "x" * 50)]}, SETTINGS)
    assert len(sample.codes) == 20, "2 s at 10 frames a second"
    assert not sample.ended


def test_a_silent_model_and_a_codec_without_decoder():
    codec = Drone()
    (silent,) = synthesize(Dice(), None, codec, {"val": [said("aino", "")]}, SETTINGS)
    assert silent.codes.shape == (0, 2) and silent.audio.shape == (0,) and silent.ended
    codec.decodes = False
    (mute,) = synthesize(Dice(), None, codec, {"val": [said("aino", "abc")]}, SETTINGS)
    assert mute.audio is None and mute.reference_audio is None and mute.codes.shape == (3, 2)


def test_nothing_to_say():
    with pytest.raises(KaikuError, match="No sentence"):
        list(synthesize(Dice(), None, Drone(), {"train": [], "val": []}, SETTINGS))


def test_written_samples_are_read_back_and_equal_twice(tmp_path):
    made = list(synthesize(Dice(), None, Drone(), {"val": SENTENCES}, SETTINGS))
    for name in ("first", "second"):
        write_samples(tmp_path / name, made, Drone.sample_rate)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("first", "second"))
    assert first == second
    assert len(first) == 4 * 3 + 1
    read, sample_rate = read_samples(tmp_path / "first")
    assert sample_rate == 1000
    for sample, back in zip(made, read, strict=True):
        assert (sample.id, sample.text, sample.ended) == (back.id, back.text, back.ended)
        np.testing.assert_array_equal(sample.codes, back.codes)
        loudest = max(1.0, float(np.abs(sample.audio).max()))
        np.testing.assert_allclose(back.audio, sample.audio / loudest, atol=2**-14)


def test_silence_is_read_back_as_silence(tmp_path):
    write_samples(tmp_path / "s", synthesize(Dice(), None, Drone(), {"val": [said("aino", "")]}, SETTINGS), 1000)
    ((back,), _) = read_samples(tmp_path / "s")
    assert back.audio.shape == (0,) and back.audio.dtype == np.float32 and back.codes.shape == (0, 2)
    assert len(back.reference_audio) == 500


def test_missing_samples_are_told(tmp_path):
    with pytest.raises(CorruptFile, match=r"samples\.json"):
        read_samples(tmp_path)
