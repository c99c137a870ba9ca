"""What every transcriber promises, asked of each module in kaiku/asr."""

import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import kaiku.asr
from kaiku.asr import SAMPLE_RATE, Spoken, Transcript
from kaiku.strict import Strict
from kaiku.text.overlap import Span

NAMES = [m.name for m in pkgutil.iter_modules(kaiku.asr.__path__) if not m.name.startswith("_")]


def clip(seconds, language="fi"):
    audio = np.random.default_rng(7).standard_normal(int(seconds * SAMPLE_RATE)).astype(np.float32) * 0.1
    return Spoken(1.0, 1.0 + seconds, 60.0, language, (Span(1.0, 1.0 + seconds, "hyvää  “päivää”"),), audio)


@pytest.fixture(scope="module", params=NAMES)
def loaded(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    module = importlib.import_module(f"kaiku.asr.{request.param}")
    settings = module.tiny(folder)
    return module, settings, module.load(settings, folder)


def test_both_are_there():
    assert set(NAMES) >= {"given", "whisper", "transformers_whisper"}


def test_shape(loaded):
    module, settings, _ = loaded
    assert issubclass(module.Settings, Strict) and isinstance(settings, module.Settings)
    assert module.NEEDS in ("text", "audio") and isinstance(module.LIBRARIES, tuple)


def test_a_clip_has_a_text(loaded):
    _, _, transcriber = loaded
    said = transcriber.transcribe(clip(3))
    assert isinstance(said, Transcript) and said.text_raw and said.language == "fi"
    assert isinstance(said.confidence, float) and 0 < said.confidence <= 1


def test_the_same_clip_has_the_same_text(loaded):
    _, _, transcriber = loaded
    first = transcriber.transcribe(clip(3))
    transcriber.transcribe(clip(2, "te"))
    assert transcriber.transcribe(clip(3)) == first


def test_settings_load_without_options(loaded):
    module, _, _ = loaded
    assert module.Settings.model_validate({})


@pytest.mark.parametrize("name", NAMES)
def test_import_is_light(name):
    heavy = "torch transformers av soundfile librosa scipy pandas faster_whisper ctranslate2"
    code = f"import sys, kaiku.asr.{name}; print([m for m in {heavy.split()!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
