"""The contract that every check fulfils: whatever file lies in the folder is tested here."""

import importlib
import inspect
import math
import pkgutil

import numpy as np
import pytest
from synthetic_voice import recording

import kaiku.checks
from kaiku.audio.clips import ClipAudio
from kaiku.strict import Strict

ALL = [module.name for module in pkgutil.iter_modules(kaiku.checks.__path__)]
NAMES = [name for name in ALL if getattr(importlib.import_module(f"kaiku.checks.{name}"), "NEEDS", "audio") == "audio"]
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


@pytest.fixture(params=NAMES)
def check(request):
    return importlib.import_module(f"kaiku.checks.{request.param}")


def test_there_are_checks():
    assert {"clipping", "duration", "hum", "level", "speech"} <= set(NAMES)


def test_it_declares_itself(check):
    assert issubclass(check.Settings, Strict)
    check.Settings()  # every parameter has a default
    assert all(field.description for field in check.Settings.model_fields.values())
    assert isinstance(check.LIBRARIES, tuple)
    assert check.FIELDS
    assert all(name.isidentifier() and meaning.endswith(".") for name, meaning in check.FIELDS.items())
    assert list(inspect.signature(check.measure).parameters) == ["clip", "settings"]
    assert check.__doc__


@pytest.mark.parametrize("name", CLIPS)
def test_it_measures_what_it_declares_and_the_same_each_time(check, name):
    samples, sample_rate = CLIPS[name]
    before = samples.copy()
    first = check.measure(ClipAudio(samples, sample_rate), check.Settings())
    assert list(first) == list(check.FIELDS)
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in first.values())
    assert check.measure(ClipAudio(samples.copy(), sample_rate), check.Settings()) == first
    assert np.array_equal(samples, before)


def test_speech_can_be_measured(check):
    measured = check.measure(ClipAudio(*CLIPS["speech"]), check.Settings())
    assert None not in measured.values() or check.__name__ == "kaiku.checks.hum"


def test_no_two_checks_share_a_measure():
    fields = [field for name in ALL for field in importlib.import_module(f"kaiku.checks.{name}").FIELDS]
    assert len(fields) == len(set(fields))
