"""The contract that every check fulfils: whatever file lies in the folder is tested here."""

import importlib
import inspect
import math
import pkgutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from synthetic_voice import recording

import kaiku.checks
from kaiku.audio.clips import ClipAudio
from kaiku.checks import Described
from kaiku.settings import CHECKS_NEED
from kaiku.strict import Strict

NAMES = [module.name for module in pkgutil.iter_modules(kaiku.checks.__path__) if not module.name.startswith("_")]
RATE = 16_000


def clips():
    noise = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32) * 0.1
    tone = (0.5 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    return {
        "silence": (np.zeros(2 * RATE, np.float32), RATE),
        "tone": (tone, RATE),
        "noise": (noise, RATE),
        "speech": (recording(-0.7, 2, -0.7), RATE),
        "speech at 44.1 kHz": (recording(-0.7, 2, -0.7, sample_rate=44_100), 44_100),
        "3 samples": (np.array([0.1, -0.2, 0.1], np.float32), RATE),
        "no samples": (np.zeros(0, np.float32), RATE),
        "peak above 1": (noise * 20, 8_000),
        "constant": (np.full(RATE, 0.25, np.float32), RATE),
    }


CLIPS = clips()
NOT_OF_TIGHT_CLIPS = {"hum_db", "hum_hz", "duplicate_group"}
"""What speech alone does not have: a second of background, a duplicate."""


def needs(module):
    return getattr(module, "NEEDS", "audio")


@pytest.fixture(params=[name for name in NAMES if needs(importlib.import_module(f"kaiku.checks.{name}")) != "text"])
def check(request):
    return importlib.import_module(f"kaiku.checks.{request.param}")


@pytest.fixture
def measure(check, tmp_path):
    """The check as a function of a clip; one that compares looks at the clip alone."""
    if needs(check) == "corpus":
        return partial(compared_alone, check)
    if not hasattr(check, "load"):
        return partial(check.measure, settings=check.Settings())
    return check.load(check.tiny(tmp_path), tmp_path).measure


def compared_alone(check, clip):
    vector = check.describe(clip)
    if vector is None:
        return dict.fromkeys(check.FIELDS)
    assert vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all()
    return check.compare(Described(("a",), ("kai",), vector[None]), [0], check.Settings())[0]


def test_there_are_checks():
    expected = {"clipping", "duration", "hum", "level", "speech", "plosive", "snr", "bandwidth", "dnsmos"}
    assert expected | {"duplicate", "speaker_outlier", "speaker_similarity", "voice_distance"} <= set(NAMES)


def test_it_declares_itself(check):
    assert issubclass(check.Settings, Strict)
    assert needs(check) in CHECKS_NEED
    assert all(field.description for field in check.Settings.model_fields.values())
    assert isinstance(check.LIBRARIES, tuple)
    assert check.FIELDS
    assert all(name.isidentifier() and meaning.endswith(".") for name, meaning in check.FIELDS.items())
    assert check.__doc__
    if needs(check) == "corpus":
        assert parameters(check.describe) == ["clip"]
        assert parameters(check.compare) == ["described", "wanted", "settings"]
    elif needs(check) == "audio" and hasattr(check, "load"):
        assert parameters(check.load) == ["settings", "folder"] and parameters(check.tiny) == ["folder"]
    elif needs(check) == "audio":
        assert parameters(check.measure) == ["clip", "settings"]
    if not hasattr(check, "load"):
        check.Settings()  # every parameter has a default


def parameters(function):
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", CLIPS)
def test_it_measures_what_it_declares_and_the_same_each_time(check, measure, name):
    samples, sample_rate = CLIPS[name]
    before = samples.copy()
    first = measure(ClipAudio(samples, sample_rate))
    assert sorted(first) == sorted(check.FIELDS)
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in first.values())
    assert measure(ClipAudio(samples.copy(), sample_rate)) == first
    assert np.array_equal(samples, before)


def test_speech_can_be_measured(check, measure):
    measured = measure(ClipAudio(*CLIPS["speech"]))
    if needs(check) == "corpus":
        assert check.describe(ClipAudio(*CLIPS["speech"])) is not None
    else:
        assert {name for name, value in measured.items() if value is None} <= NOT_OF_TIGHT_CLIPS


def test_what_names_a_file_or_model_stays_out_of_keys(check):
    for name in {"model", "reference"} & set(check.Settings.model_fields):
        assert check.Settings.model_fields[name].json_schema_extra == {"by_content": True}


@pytest.mark.parametrize("name", NAMES)
def test_import_is_light(name):
    heavy = "torch transformers av soundfile librosa scipy pandas onnxruntime speechmos"
    code = f"import sys, kaiku.checks.{name}; print([m for m in {heavy.split()!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_no_two_checks_share_a_measure():
    fields = [field for name in NAMES for field in importlib.import_module(f"kaiku.checks.{name}").FIELDS]
    assert len(fields) == len(set(fields))
