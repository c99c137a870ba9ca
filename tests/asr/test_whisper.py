import shutil

import numpy as np
import pytest
from made_clips import LENGTHS_S, spoken, tone

from kaiku.asr import SAMPLE_RATE, Spoken, Transcript, whisper
from kaiku.errors import KaikuError
from kaiku.strict import key_params


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper")
    whisper.tiny(folder)
    return folder


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
    slow, fast = whisper.Settings(), whisper.Settings(threads=8, device="cuda", workers=3, gpus=2)
    assert (
        key_params(slow)
        == key_params(fast)
        == {
            "language": "",
            "beam_size": 5,
            "compute_type": "int8",
            "batch_size": 1,
        }
    )


@pytest.fixture(scope="module")
def clips():
    languages = ("fi", "pt-BR", "te", "fi", "en", "fi", "fi", "de")
    return [tone(length, tag, 2**n * 60) for n, (length, tag) in enumerate(zip(LENGTHS_S, languages, strict=True))]


@pytest.mark.parametrize("compute_type", ["float32", "int8"])
@pytest.mark.parametrize("beam_size", [1, 5])
def test_a_batch_is_as_its_clips_one_by_one(folder, clips, compute_type, beam_size):
    model = whisper.load(whisper.Settings(compute_type=compute_type, beam_size=beam_size, batch_size=8), folder)
    together = model.transcribe_batch(clips)
    for others in ([model.transcribe(clip) for clip in clips], model.transcribe_batch(clips[::-1])[::-1]):
        assert [(said.text_raw, said.language) for said in together] == [(o.text_raw, o.language) for o in others]
        for said, other in zip(together, others, strict=True):
            assert said.confidence == pytest.approx(other.confidence, abs=1.1e-4)
    assert [said.language for said in together] == ["fi", "pt", "te", "fi", "en", "fi", "fi", "de"]
    assert len({said.text_raw for said in together}) > 3, "clips that differ are heard differently"
    assert [bool(said.text_raw) for said in together] == [True] * 5 + [False, False, True]


def test_one_window_is_heard_as_faster_whisper_hears_it(folder, clips):
    model = whisper.load(whisper.Settings(compute_type="float32"), folder)
    for clip in clips[:4]:
        ours, theirs = model.transcribe(clip), model._one_by_one(clip, model._language(clip.language))
        assert (ours.text_raw, ours.language) == (theirs.text_raw, theirs.language)
        assert ours.confidence == pytest.approx(theirs.confidence, abs=1.1e-4)


def test_the_batch_size_enters_the_key():
    assert key_params(whisper.Settings(batch_size=8)) != key_params(whisper.Settings())
