"""What every check of texts promises: whatever such file lies in the folder is tested here."""

import importlib
import inspect
import math
import pkgutil
from dataclasses import fields, replace

import numpy as np
import pytest

import kaiku.checks
from kaiku.strict import Strict
from kaiku.text.spoken import SAMPLE_RATE, SpokenText

ALL = [module.name for module in pkgutil.iter_modules(kaiku.checks.__path__) if not module.name.startswith("_")]
NAMES = [name for name in ALL if getattr(importlib.import_module(f"kaiku.checks.{name}"), "NEEDS", "audio") == "text"]
NOISE = (np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE) * 0.1).astype(np.float32)
TEXT = SpokenText("kaiku soi yli järven", "fi", "Kaiku soi yli järven.", 0.9, 1.5, "kaiku soi ylit järven", NOISE)
CLIPS = {
    "a sentence": TEXT,
    "no text": replace(TEXT, text="", text_raw=""),
    "punctuation": replace(TEXT, text="... ?!"),
    "4,000 characters": replace(TEXT, text="aamu ilta " * 400),
    "nothing known": SpokenText("kaiku", "und"),
    "no speech": replace(TEXT, speech_s=0.0),
    "the second failed": replace(TEXT, second=None),
    "the second heard nothing": replace(TEXT, second=""),
    "Telugu": SpokenText("నమస్కారం అండి", "te-IN", "", None, 1.0, "నమస్కారము", NOISE),
    "three samples": replace(TEXT, audio=NOISE[:3]),
    "no samples": replace(TEXT, audio=NOISE[:0]),
    "surrogates and marks": replace(TEXT, text="\u0301\u200d \U0001f600 e\u0301"),
}


@pytest.fixture(scope="module", params=NAMES)
def check(request, tmp_path_factory):
    """A check's module, its settings, and what measures with them."""
    module = importlib.import_module(f"kaiku.checks.{request.param}")
    if not hasattr(module, "load"):
        return module, module.Settings(), lambda clip: module.measure(clip, module.Settings())
    folder = tmp_path_factory.mktemp(request.param)
    settings = module.tiny(folder)
    return module, settings, module.load(settings, folder).measure


def test_there_are_checks_of_texts():
    assert {"script", "speech_rate"} <= set(NAMES)


def test_it_declares_itself(check):
    module, settings, _ = check
    assert issubclass(module.Settings, Strict) and isinstance(settings, module.Settings) and module.__doc__
    assert all(field.description for field in module.Settings.model_fields.values())
    assert isinstance(module.LIBRARIES, tuple)
    assert module.FIELDS
    assert all(name.isidentifier() and meaning.endswith(".") for name, meaning in module.FIELDS.items())
    assert set(getattr(module, "USES", ())) <= {field.name for field in fields(SpokenText)} - {"text", "language"}
    if not hasattr(module, "load"):
        assert list(inspect.signature(module.measure).parameters) == ["clip", "settings"]


@pytest.mark.parametrize("name", CLIPS)
def test_it_measures_what_it_declares_and_the_same_each_time(check, name):
    module, _, measure = check
    first = measure(CLIPS[name])
    assert sorted(first) == sorted(module.FIELDS)
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in first.values())
    measure(TEXT)
    assert measure(replace(CLIPS[name], audio=CLIPS[name].audio.copy())) == first


def test_a_sentence_can_be_measured(check):
    _, _, measure = check
    assert None not in measure(TEXT).values()


def test_nothing_counts_that_it_does_not_say_it_uses(check):
    module, _, measure = check
    others = {
        "text_raw": "muuta",
        "confidence": 0.1,
        "speech_s": 9.0,
        "second": "aivan muuta",
        "audio": NOISE[::-1].copy(),
    }
    unused = {name: value for name, value in others.items() if name not in getattr(module, "USES", ())}
    assert measure(replace(TEXT, **unused)) == measure(TEXT)
