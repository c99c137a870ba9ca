"""How many made-up lives a test tries: few and the same each time, or KAIKU_EXAMPLES of them, at random.

KAIKU_SEED makes these the same each time, too.
"""

import os

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

EXAMPLES, SEED = os.environ.get("KAIKU_EXAMPLES"), os.environ.get("KAIKU_SEED")

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where so many small files are best written."""


def how(examples):
    """Settings for so many examples, or for as many as the environment asks for."""
    return settings(
        max_examples=int(EXAMPLES or examples),
        stateful_step_count=12,
        deadline=None,
        database=None,
        derandomize=EXAMPLES is None,
        suppress_health_check=list(HealthCheck),
    )


def live(machine, examples):
    """Run a state machine's examples."""
    run = run_state_machine_as_test
    (run if SEED is None else seed(int(SEED))(run))(machine, settings=how(examples))
