"""A base model, a training that nothing disturbed, and processes to be killed."""

import multiprocessing

import disturbed
import pytest
from echo_family import SIZES, EchoFamily, make_spec

from kaiku.train.run import train

# Children are forked from a server that has imported torch once and has never used it.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["kaiku.train.run"])


@pytest.fixture(scope="session")
def exit_code_of():
    """Runs `program(*args)` in a process of its own: its exit code, or minus the signal that ended it."""

    def run(program, *args):
        process = PROCESSES.Process(target=disturbed.run, args=(program, *args))
        process.start()
        process.join()
        return process.exitcode

    return run


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    EchoFamily().new_base(None, SIZES, 3, folder)
    return folder


@pytest.fixture(scope="session")
def reference(tmp_path_factory, base):
    """The specification of an undisturbed training, done; only to be read."""
    spec = make_spec(tmp_path_factory.mktemp("reference"), base)
    train(spec)
    return spec
