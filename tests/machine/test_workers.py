"""Workers of a transcriber by the memory that is free, on cards that are only named."""

import os

import pytest

from kaiku.asr import whisper
from kaiku.machine import hardware, workers

GB = 10**9
LARGE, BASE = int(3.1 * GB), 145 * 10**6
"""Bytes of Whisper's weights in float16."""


@pytest.mark.parametrize(
    ("room", "weights", "clips", "fit"),
    [
        (80 * GB, LARGE, 1, 35),
        (80 * GB, LARGE, 16, 2),
        (24 * GB, LARGE, 16, 1),
        (8 * GB, BASE, 1, 24),
        (8 * GB, BASE, 8, 3),
        (2 * GB, BASE, 1, 1),
        (0, LARGE, 1, 1),
    ],
)
def test_as_many_as_fit_and_one_at_least(room, weights, clips, fit):
    assert workers.fitting(room, weights, clips) == fit
    taken = workers.OVERHEAD + 2 * weights + fit * clips * (workers.CLIP + weights / 2)
    assert fit == 1 or taken <= room * (1 - workers.MARGIN)


@pytest.fixture
def folder(tmp_path):
    """A model of 145 MB that takes no room."""
    with open(tmp_path / "model.bin", "wb") as file:
        file.truncate(BASE)
    (tmp_path / "tokenizer.json").write_text("{}" * 1000)
    return tmp_path


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Let nvidia-smi tell free MiB."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def tells(*lines, status=0):
        program = tmp_path / "bin/nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines) + f"exit {status}\n")
        program.chmod(0o755)

    return tells


def test_auto_on_a_gpu_takes_what_fits_up_to_four(folder, card):
    card(8000)
    options = whisper.Settings(batch_size=8)
    assert workers.chosen(options, folder, ["GPU-1"]) == 3
    assert workers.chosen(whisper.Settings(), folder, ["GPU-1"]) == workers.MOST
    assert workers.chosen(whisper.Settings(workers=9), folder, ["GPU-1"]) == 9
    card(80000, 8000)
    assert workers.chosen(options, folder, ["GPU-1", "GPU-2"]) == 3, "the fuller one decides"


def test_a_card_that_does_not_tell_has_one(folder, card):
    for lines in (["[N/A]"], ["No devices were found"], [], [8000]):
        card(*lines)
        assert workers.chosen(whisper.Settings(), folder, ["GPU-1", "GPU-2"]) == 1


def test_on_a_cpu_auto_is_one_and_a_number_is_lowered_aloud(folder, monkeypatch, capsys):
    monkeypatch.setattr(hardware, "free_memory", lambda: 2 * GB)
    assert workers.chosen(whisper.Settings(), folder, ()) == 1
    assert workers.chosen(whisper.Settings(batch_size=2), folder, ()) == 1 and not capsys.readouterr().err
    assert workers.chosen(whisper.Settings(workers=3), folder, ()) == 1
    assert "1 of 3 workers: 2.0 GB are free, the model has 145 MB" in capsys.readouterr().err
    monkeypatch.setattr(hardware, "free_memory", lambda: 8 * GB)
    assert workers.chosen(whisper.Settings(workers=3), folder, ()) == 3


def test_memory_of_this_machine_is_found():
    assert hardware.free_memory() > 0
