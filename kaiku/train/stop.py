"""A request to stop is kept until the step is done, and ends the process with a code that is not success."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kaiku.errors import KaikuError
from kaiku.progress import log

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: not finished, the next attempt continues


class Stopped(KaikuError):
    """Training was asked to stop and saved its state; the program should exit with `exit_code`."""

    exit_code = EXIT_CODE


class StopRequest:
    """Whether a signal that asks to stop has come."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def _receive(self, number: int, _frame: object) -> None:
        if self.signal is None:
            log(f"{signal.Signals(number).name} received: saving at the end of this step")
        self.signal = signal.Signals(number)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Collect what asks to stop for the length of the block; outside the main thread nothing can be collected."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.signal(number, request._receive) for number in _asking()}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ignore_stop(_worker: int = 0) -> None:
    """Let a helper process leave a stop to the training, which needs it until it has saved; signals come to all."""
    for number in _asking():
        signal.signal(number, signal.SIG_IGN)


def _asking() -> list[signal.Signals]:
    """Signals that ask to stop: a terminal that is closed does, but for `nohup`, which has it ignored."""
    closed = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGTERM, signal.SIGINT, *closed]
