import json
import shutil

import numpy as np
import pytest
from made_clips import LENGTHS_S, spoken, tone

from kaiku.asr import Transcript, transformers_whisper
from kaiku.errors import CorruptFile, KaikuError
from kaiku.strict import key_params

TAGS = ("fi", "pt-BR", "te", "und", "en")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper")
    transformers_whisper.tiny(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return transformers_whisper.load(transformers_whisper.Settings(device="cpu", batch_size=5), folder)


@pytest.fixture(scope="module")
def clips():
    return [tone(length, tag, 2**n * 60) for n, (length, tag) in enumerate(zip(LENGTHS_S[:5], TAGS, strict=True))]


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_batch_is_as_its_clips_one_by_one(folder, clips, beam_size):
    settings = transformers_whisper.Settings(device="cpu", beam_size=beam_size)
    model = transformers_whisper.load(settings, folder)
    together = model.transcribe_batch(clips)
    for others in ([model.transcribe(clip) for clip in clips], model.transcribe_batch(clips[::-1])[::-1]):
        assert [(said.text_raw, said.language) for said in together] == [(o.text_raw, o.language) for o in others]
        for said, other in zip(together, others, strict=True):
            assert said.confidence == pytest.approx(other.confidence, abs=1.1e-4)
    assert [said.language for said in together][:3] == ["fi", "pt", "te"] and together[3].language in model.languages


def test_what_was_encoded_once_is_heard_as_the_model_hears_it(model, clips):
    import torch

    features = model._features([clip.audio for clip in clips])["input_features"]
    asked = {**model._asked(["fi"] * len(clips)), "return_timestamps": False}
    with torch.inference_mode():
        whole = model.model.generate(input_features=features, **asked)
    assert [model._text([t for t in row if t < model._end]) for row in whole.tolist()] == [
        said.text_raw for said in model._together([clip.audio for clip in clips], ["fi"] * len(clips))
    ]


def test_confidence_is_what_the_model_gives_its_own_text(model, clips):
    import torch

    said = model.transcribe(clips[0])
    features = model._features([clips[0].audio])["input_features"]
    config = model.model.generation_config
    tokens = model.processor.tokenizer.encode(said.text_raw, add_special_tokens=False)
    start = [config.decoder_start_token_id, config.lang_to_id["<|fi|>"], config.task_to_id["transcribe"]]
    ids = torch.tensor([[*start, config.no_timestamps_token_id, *tokens, config.eos_token_id]])
    with torch.inference_mode():
        logits = model.model(input_features=features, decoder_input_ids=ids[:, :-1]).logits[0, 3:]
    told = torch.log_softmax(logits, dim=-1)[torch.arange(len(tokens) + 1), ids[0, 4:]]
    assert said.confidence == pytest.approx(float(told.mean().exp()), abs=1.1e-4)


def test_longer_than_a_window(model):
    said = model.transcribe(tone(31, "de", 200))
    assert said.text_raw and said.language == "de" and said.confidence is None
    assert model.transcribe_batch([tone(31, "de", 200), spoken(1)])[0] == said


def test_nothing_to_hear(model):
    assert model.transcribe(spoken(0)) == Transcript("", None, "fi")
    assert isinstance(model.transcribe(spoken(0.001)), Transcript)


def test_unknown_language(model):
    with pytest.raises(KaikuError, match="language 'tlh'"):
        model.transcribe(spoken(1, "tlh"))


FILES = ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_told_and_never_fetched(folder, tmp_path, name):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / name).unlink()
    with pytest.raises(KaikuError, match="broken"):
        transformers_whisper.load(transformers_whisper.Settings(device="cpu"), broken)


def test_a_model_in_another_format_is_told(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(KaikuError, match=r"no config.json.*`kind: whisper`"):
        transformers_whisper.load(transformers_whisper.Settings(), tmp_path)


def test_a_missing_tensor_is_told(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    broken = shutil.copytree(folder, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors.pop("model.encoder.layers.0.fc1.weight")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match=r"1 tensors are missing.*fc1"):
        transformers_whisper.load(transformers_whisper.Settings(device="cpu"), broken)


def test_another_preprocessor_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    said = json.loads((broken / "preprocessor_config.json").read_text())
    (broken / "preprocessor_config.json").write_text(json.dumps({**said, "feature_size": 128}))
    with pytest.raises(KaikuError, match="80 mel bands, its preprocessor makes 128"):
        transformers_whisper.load(transformers_whisper.Settings(device="cpu"), broken)


def test_what_changes_results_is_in_the_key():
    fast = transformers_whisper.Settings(device="cuda")
    assert key_params(fast) == {"language": "", "beam_size": 1, "batch_size": 1}


def test_other_audio_is_refused(model):
    with pytest.raises(KaikuError, match="float32"):
        model.transcribe(spoken(1).__class__(0.0, 1.0, 1.0, "fi", audio=np.zeros(100)))
