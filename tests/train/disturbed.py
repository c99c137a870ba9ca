"""Trainings that end badly, here or in processes of their own."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
from echo_family import make_spec

from kaiku.errors import KaikuError
from kaiku.store import digest
from kaiku.train.curve import read_curve
from kaiku.train.run import train
from kaiku.train.state import RunState
from kaiku.train.stop import Stopped


def run(program, *args):
    """What a program does with a training: its exit code tells how it ended."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored, and a training heeds that
    try:
        program(*args)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


def at_call(number, action):
    """An action for one of the family's loss calls, counted from the start of the process."""
    calls = []

    def before_loss(model):
        calls.append(1)
        if len(calls) == number:
            action(model)

    return before_loss


def die(_model=None):
    os.kill(os.getpid(), signal.SIGKILL)


def train_and_die(folder, base, call, **changes):
    spec = make_spec(folder, base, **changes)
    spec.family.before_loss = at_call(call, die)
    train(spec)


def train_and_terminate(folder, base, call, number):
    spec = make_spec(folder, base)
    spec.family.before_loss = at_call(call, lambda model: os.kill(os.getpid(), number))
    train(spec)


def train_and_terminate_with_helpers(folder, base, call):
    """The signal comes from outside and to the processes that prepare batches as well, as from a scheduler."""
    os.setpgrp()
    multiprocessing.set_start_method("fork", force=True)  # this process came from a server of forks, its helpers do not
    spec = make_spec(folder, base, settings={"workers": 2})
    program = [sys.executable, "-c", f"import os; os.killpg({os.getpgrp()}, {signal.SIGTERM})"]
    spec.family.before_loss = at_call(call, lambda model: subprocess.run(program, start_new_session=True))
    train(spec)


def train_and_die_while_saving(folder, base):
    of_file = digest.of_file
    digest.of_file = lambda path: die() if "step_000008" in str(path) else of_file(path)
    train(make_spec(folder, base))


def train_and_die_before_retaining(folder, base):
    """At the very end: all is saved, and checkpoints that are not to be kept are still there."""
    RunState.retain = lambda state, curve, keep: die() if curve.last_step == 12 else None
    train(make_spec(folder, base))


def published(spec):
    """Contents of all published files but the record of the run, which holds seconds."""
    files = (p for p in spec.out.rglob("*") if p.is_file() and p.name != "run.json")
    return {p.relative_to(spec.out).as_posix(): p.read_bytes() for p in files}


def stopped(spec, call=16):
    """Leave the state of a training that was stopped in the middle."""
    spec.family.before_loss = at_call(call, lambda model: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KaikuError, match="asked to stop"):
        train(spec)
    spec.family.before_loss = lambda model: None
    return len(read_curve(spec.state / "current" / "curve.jsonl"))
