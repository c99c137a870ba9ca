import shutil

import numpy as np
import pytest

from kaiku.asr import SAMPLE_RATE, Spoken, Transcript, whisper
from kaiku.errors import KaikuError
from kaiku.strict import key_params


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper")
    whisper.tiny(folder)
    return folder


def spoken(seconds, language="fi", seed=0):
    audio = np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE)).astype(np.float32) * 0.1
    return Spoken(0.0, seconds, seconds, language, audio=audio)


def transcribe(folder, clip, **settings):
    return whisper.load(whisper.Settings(**settings), folder).transcribe(clip)


def test_tiny_is_the_same_every_time(folder, tmp_path):
    whisper.tiny(tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == (folder / "model.bin").read_bytes()


@pytest.mark.parametrize("compute_type", ["float32", "int8"])
def test_threads_change_nothing(folder, compute_type):
    one, two = (transcribe(folder, spoken(3), compute_type=compute_type, threads=n) for n in (1, 2))
    assert one == two and one.text_raw


def test_longer_than_a_window(folder):
    said = transcribe(folder, spoken(35), compute_type="float32")
    assert said.text_raw and 0 < said.confidence <= 1


def test_nothing_to_hear(folder):
    for clip in (spoken(0), spoken(1 / SAMPLE_RATE)):
        said = transcribe(folder, clip)
        assert said == Transcript("", None, "fi")


def test_language_of_settings_then_of_clip_then_as_heard(folder):
    assert transcribe(folder, spoken(1, "pt-BR")).language == "pt"
    assert transcribe(folder, spoken(1, "fi"), language="te").language == "te"
    model = whisper.load(whisper.Settings(), folder)
    assert model.transcribe(spoken(1, "und")).language in model.model.supported_languages


def test_unknown_language(folder):
    with pytest.raises(KaikuError, match="language 'tlh'"):
        transcribe(folder, spoken(1, "tlh"))


@pytest.mark.parametrize("audio", [np.zeros((2, 100), np.float32), np.zeros(100), np.zeros(100, np.int16)])
def test_other_audio_is_refused(folder, audio):
    with pytest.raises(KaikuError, match="float32"):
        transcribe(folder, Spoken(0.0, 1.0, 1.0, "fi", audio=audio))


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named_and_never_fetched(folder, tmp_path, name):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / name).unlink()
    with pytest.raises(KaikuError, match=f"no {name}"):
        whisper.load(whisper.Settings(), broken)


def test_another_preprocessor_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "preprocessor_config.json").write_text('{"feature_size": 128}')
    with pytest.raises(KaikuError, match="80 mel bands, its preprocessor makes 128"):
        whisper.load(whisper.Settings(), broken)


def test_a_damaged_model_is_told(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:1000])
    with pytest.raises(KaikuError, match="broken"):
        whisper.load(whisper.Settings(), broken)


def test_speed_stays_out_of_the_key():
    slow, fast = whisper.Settings(), whisper.Settings(threads=8, device="cuda")
    assert key_params(slow) == key_params(fast) == {"language": "", "beam_size": 5, "compute_type": "int8"}
