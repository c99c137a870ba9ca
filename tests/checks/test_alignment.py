"""The alignment check on tiny random weights, and on a model that says exactly what it is taught to."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from kaiku.checks import alignment
from kaiku.errors import CorruptFile, KaikuError
from kaiku.text.spoken import SAMPLE_RATE, SpokenText

NOISE = (np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE) * 0.1).astype(np.float32)
CLIP = SpokenText("kaiku soi", "fi", audio=NOISE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ctc")
    alignment.tiny(folder)
    return folder


@pytest.fixture
def aligner(folder):
    return alignment.load(alignment.Settings(device="cpu"), folder)


@pytest.fixture
def speaking(aligner, monkeypatch):
    """An aligner whose model says a text, letter by letter, each with probability 0.9 in three frames of four."""

    def say(text, frames_each=4):
        tokens = aligner.letters.joined(aligner.letters.spell(text)[0])
        log_probs = np.full((frames_each * len(tokens), 31), np.log(0.1 / 30), np.float32)
        for frame in range(len(log_probs)):
            token = tokens[frame // frames_each] if frame % frames_each else aligner.letters.blank
            log_probs[frame, token] = np.log(0.9)
        monkeypatch.setattr(aligner, "log_probs", lambda audio: log_probs)
        return aligner.measure

    return say


def test_the_right_text_fits_and_a_wrong_word_stands_out(speaking):
    measure = speaking("kaiku soi yli järven")
    right = measure(replace(CLIP, text="Kaiku soi yli järven!"))
    assert right["alignment_logprob"] == pytest.approx(np.log(0.9), abs=1e-6)
    assert right["alignment_worst_logprob"] == pytest.approx(np.log(0.9), abs=1e-6)
    wrong = measure(replace(CLIP, text="kaiku hyppi yli järven"))
    assert wrong["alignment_worst_logprob"] < -3 < wrong["alignment_logprob"] < right["alignment_logprob"]
    other = measure(replace(CLIP, text="aivan muuta puhetta kuin"))
    assert other["alignment_logprob"] < -3


def test_a_text_that_nobody_could_say_in_that_time(speaking):
    found = speaking("soi")(replace(CLIP, text="kaiku soi yli järven"))
    assert found["alignment_fits"] == 0.0 and found["alignment_logprob"] is None


def test_log_probs_of_a_random_model(aligner):
    found = aligner.log_probs(NOISE)
    assert found.shape[1] == 31 and len(found) > 100
    assert np.exp(found).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert len(aligner.log_probs(NOISE[:3])) == 0


def test_a_vocabulary_without_the_texts_letters_is_said_and_nothing_is_measured(aligner):
    found = aligner.measure(replace(CLIP, text="నమస్కారం", language="te"))
    assert found.pop("alignment_unknown_share") == 1.0 and set(found.values()) == {None}
    some = aligner.measure(replace(CLIP, text="kaiku ž soi hiljaa"))
    assert some["alignment_unknown_share"] == pytest.approx(1 / 15) and some["alignment_logprob"] is not None


def test_a_vocabulary_of_capitals():
    letters = alignment.Letters({"<pad>": 0, "|": 1, "A": 2, "Ä": 3}, 0, "|")
    assert letters.spell("aä a") == ([[2, 3], [2]], 0.0) and letters.joined([[2, 3], [2]]) == [2, 3, 1, 2]


def vocabulary(letters):
    return alignment.Letters({token: number for number, token in enumerate(["<pad>", "|", *letters])}, 0, "|")


@pytest.mark.parametrize(
    ("letters", "text", "spelt"),
    [
        ("αγκλοόςσ", "Λόγος, ΚΑΛΌΣ", ["λόγος", "καλός"]),
        ("αγκλοόσ", "λόγος καλός", ["λόγοσ", "καλόσ"]),
        ("aestrß", "Straße", ["straße"]),
        ("aestr", "straße", ["strasse"]),
        ("AESTRß", "straße", ["STRAßE"]),
        ("AESTR", "straße", ["STRASSE"]),
        ("ЕИМПРТВ", "привет мир", ["ПРИВЕТ", "МИР"]),
        ("Aa", "AA", ["aa"]),
    ],
)
def test_a_letter_is_spelt_in_the_form_that_the_vocabulary_has(letters, text, spelt):
    own = vocabulary(letters)
    assert own.spell(text) == ([[own.tokens[letter] for letter in word] for word in spelt], 0.0)


def test_a_text_without_a_known_letter_is_not_measured_however_many_may_lack(folder):
    aligner = alignment.load(alignment.Settings(device="cpu", max_unknown=1), folder)
    found = aligner.measure(replace(CLIP, text="привет", language="ru"))
    assert found.pop("alignment_unknown_share") == 1.0 and set(found.values()) == {None}


def test_too_long_a_clip_is_not_measured(folder):
    aligner = alignment.load(alignment.Settings(device="cpu", longest_s=2), folder)
    found = aligner.measure(CLIP)
    assert found["alignment_logprob"] is None and found["alignment_unknown_share"] == 0


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_told_and_never_fetched(folder, tmp_path, name):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / name).unlink()
    with pytest.raises(KaikuError, match=name.partition(".")[0]):
        alignment.load(alignment.Settings(device="cpu"), broken)


def test_another_kind_of_model_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(KaikuError, match="broken"):
        alignment.load(alignment.Settings(device="cpu"), broken)


def test_a_model_without_its_head_is_refused(folder, tmp_path):
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Model

    broken = shutil.copytree(folder, tmp_path / "broken")
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    bare = Wav2Vec2Model(model.config)
    bare.save_pretrained(broken)
    with pytest.raises(CorruptFile, match=r"missing or of another shape, first .*lm_head"):
        alignment.load(alignment.Settings(device="cpu"), broken)


def test_another_vocabulary_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "vocab.json").write_text(json.dumps({chr(97 + n): n for n in range(60)}))
    with pytest.raises(KaikuError, match="60 tokens, the model's head 31"):
        alignment.load(alignment.Settings(device="cpu"), broken)
    (broken / "vocab.json").write_text(json.dumps({"fin": {"a": 0}, "tel": {"a": 0}}))
    with pytest.raises(KaikuError, match="a vocabulary for each of 2 languages"):
        alignment.load(alignment.Settings(device="cpu"), broken)


def examined(folder, *languages):
    alignment.examine(alignment.Settings(), folder, languages)


def test_a_model_of_the_language_is_let_pass_and_beside_another_language_too(folder):
    for languages in (["fi"], ["en-US"], ["fi", "te"], ["sr"], []):
        examined(folder, *languages)


@pytest.mark.parametrize(
    ("name", "content", "languages", "words"),
    [
        ("config.json", {"architectures": ["GPT2LMHeadModel"]}, ["fi"], r"a GPT2LMHeadModel.*Expected: a CTC model"),
        ("config.json", {"architectures": ["Wav2Vec2Model"]}, ["fi"], r"a Wav2Vec2Model.*\*ForCTC"),
        ("config.json", "{", ["fi"], r"config\.json: .*Expected: JSON"),
        ("vocab.json", "[]", ["fi"], r"vocab\.json: a list"),
        ("vocab.json", {"<pad>": 0, "ka": 1, "|": 2}, [], "no token is a single letter"),
        ("vocab.json", {"<pad>": 0, "A": 1, "B": 2}, ["te", "ru"], "letters 'AB'. Expected: those of ru, te"),
    ],
)
def test_a_model_that_could_align_nothing_is_told_from_its_small_files(
    folder, tmp_path, name, content, languages, words
):
    for kept in ("config.json", "vocab.json"):  # and no weights
        shutil.copy(folder / kept, tmp_path)
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(KaikuError, match=words) as told:
        examined(tmp_path, *languages)
    assert str(tmp_path) in str(told.value)
