"""Ending a run from another terminal: found by its lock, its jobs asked to save, followed until it is over.

Signals go to Snakemake and to the programs of its jobs, never to a process group: that may hold a `make`, a script or a
CI runner with more to do, and the helpers of a training, whose death would end it before it has saved. For the same
reason the shell between Snakemake and a program gets none: it ends with its program, and passes its exit code on.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from kaiku.errors import KaikuError
from kaiku.progress import log
from kaiku.workspace import lock
from kaiku.workspace.lock import Holder

POLL_S = 0.2
TELL_EVERY_S = 10.0
IDLE_S = 5.0
"""How long Snakemake may outlive the last program before it is interrupted. It waits for jobs of a cluster, which only
an interrupt makes it cancel; or it hangs, as it does when SIGTERM comes while it holds its scheduler's lock."""
CLOCK_S = 2.0
"""By how much a start time may differ between two readings of it: the clock is set now and then."""
PROGRAMS = "workflow_scripts."


@dataclass(frozen=True)
class Program:
    """A job's program at work."""

    name: str
    process: psutil.Process

    def __str__(self) -> str:
        return f"{self.name} (process {self.process.pid})"


@dataclass(frozen=True)
class Ended:
    """A run that was ended, and the programs that were at work."""

    run: Holder
    programs: tuple[Program, ...]


def stop(path: Path, patience_s: float) -> Ended | None:
    """End the run that holds a workspace's lock; None where there is none.

    Raises KaikuError where the run is on another host or another user's, and where it has not ended after `patience_s`.
    """
    holder = lock.holder(path)
    if holder is None:
        return None
    run = _process(holder, path)
    log(f"asking the run to end: process {run.pid}, since {time.strftime('%F %T', time.localtime(holder.started))}")
    _send(run, signal.SIGTERM)
    return Ended(holder, _follow(run, patience_s))


def left_behind(workspace: Path) -> list[Program]:
    """Programs that work in a workspace without a run above them; those that were started by hand look the same."""
    here, found = workspace.resolve(), {}
    for process in psutil.process_iter():
        name = _program_name(process)
        if name and process.pid != os.getpid() and _cwd(process) == here:
            found[process.pid] = Program(name, process)
    return [program for program in found.values() if program.process.ppid() not in found]


def _process(holder: Holder, path: Path) -> psutil.Process:
    """The holder's process, proven to be it. Raises KaikuError where it is not to be found on this machine."""
    if holder.host != socket.gethostname():
        raise KaikuError(
            f"the run in this workspace is process {holder.pid} on {holder.host}; this is {socket.gethostname()}",
            remedy=f"Stop it there: ssh {holder.host} 'cd {Path.cwd()} && make stop'",
        )
    try:
        process = psutil.Process(holder.pid)
        if abs(process.create_time() - holder.started) <= CLOCK_S:
            return process
    except psutil.NoSuchProcess:
        pass
    raise KaikuError(
        f"{path} is held, but process {holder.pid}, which it names, is not the one that took it",
        remedy="Call again; if it stays so, the run is in another container: stop it there.",
    )


def _follow(run: psutil.Process, patience_s: float) -> tuple[Program, ...]:
    """Ask each program to end, until run and programs have; returns them. The run may still start one on its way."""
    asked: dict[psutil.Process, Program] = {}
    begun = told = busy = time.monotonic()
    interrupted = False
    while (going := _is_alive(run)) or _working(asked):
        for program in programs(run):
            if program.process not in asked:
                asked[program.process] = program
                _send(program.process, signal.SIGTERM)
        now, working = time.monotonic(), _working(asked)
        busy = now if working else busy
        if going and not interrupted and now - busy > IDLE_S:
            interrupted = True
            _send(run, signal.SIGINT)
        if now - begun > patience_s:
            raise _out_of_patience(run, working, patience_s)
        if now - told >= TELL_EVERY_S:
            told = now
            log(f"waiting for {_names(working) or f'Snakemake (process {run.pid})'} to save and end")
        time.sleep(POLL_S)
    return tuple(asked.values())


def programs(run: psutil.Process) -> Iterator[Program]:
    """The programs of a run's jobs, below shells and wrappers; not what they started themselves."""
    try:
        children = run.children()
    except psutil.NoSuchProcess:
        return
    for child in children:
        name = _program_name(child)
        if name:
            yield Program(name, child)
        else:
            yield from programs(child)


def _program_name(process: psutil.Process) -> str:
    """Name of the workflow's program that a process runs, empty where it runs none."""
    try:
        arguments = process.cmdline()
    except psutil.Error:
        return ""
    modules = [after for option, after in pairwise(arguments) if option == "-m"]
    return next((m.removeprefix(PROGRAMS) for m in modules if m.startswith(PROGRAMS)), "")


def _cwd(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def _working(asked: dict[psutil.Process, Program]) -> list[Program]:
    return [program for process, program in asked.items() if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass  # it has ended by itself
    except psutil.AccessDenied:
        raise KaikuError(
            f"process {process.pid} belongs to {process.username()}", remedy="Let its owner, or root, stop it."
        ) from None


def _out_of_patience(run: psutil.Process, working: list[Program], patience_s: float) -> KaikuError:
    pids = " ".join(str(process.pid) for process in (run, *(program.process for program in working)))
    return KaikuError(
        f"the run has not ended {patience_s:g} s after it was asked to; "
        f"still at work: {_names(working) or f'Snakemake itself (process {run.pid})'}",
        remedy=f"Call again to wait longer, or end it at once: kill -KILL {pids}. What is finished is safe either way.",
    )


def _names(programs: list[Program]) -> str:
    return ", ".join(map(str, programs))
