"""How the benchmarks take time."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def cpu_s(work: Callable[[], object], repeat: int = 3) -> float:
    """CPU seconds of the fastest of several passes: a busy machine stretches the clock far more."""
    return min(_passes(work, time.process_time, repeat))


def gain_of_two(work: Callable[[list], object], items: Sequence) -> float:
    """How many times as much as one process two do in the same time by the clock: on an idle machine only."""
    one_s, two_s = (_clock_s(work, items, processes) for processes in (1, 2))
    return one_s / two_s


def _clock_s(work: Callable[[list], object], items: Sequence, processes: int) -> float:
    """Seconds that so many processes take for all items, each taking the next one, once they are up."""
    parts = [[item] for item in items]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, parts[: 2 * processes]))
        return min(_passes(lambda: list(pool.map(work, parts)), time.monotonic, 3))


def _passes(work: Callable[[], object], clock: Callable[[], float], repeat: int) -> Iterator[float]:
    for _ in range(repeat):
        begun = clock()
        work()
        yield clock() - begun
