"""Processors, memory, disks and GPUs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaiku.housekeeping.shown import size
from kaiku.machine import Finding

GB = 10**9
WORKSPACE_NEEDS, WORKSPACE_LIKES, TMP_LIKES = 1 * GB, 20 * GB, 2 * GB
"""Free bytes: below the first a run soon stops; below the others some hours of speech and a training fill the disk."""
MEMORY_NEEDS, MEMORY_LIKES = 2 * GB, 8 * GB
"""Bytes: a job with its libraries takes 1 to 3 GB."""
FEWEST_FILES = 10_000
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")

DRIVERS = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
"""Oldest Linux driver for each CUDA generation (NVIDIA, CUDA compatibility: minor version compatibility)."""

ASK_TORCH = (
    "import json, torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0;"
    "print(json.dumps([torch.__version__, torch.version.cuda, [torch.cuda.get_device_name(i) for i in range(n)]]))"
)
PATIENCE_S = 120


@dataclass(frozen=True)
class Card:
    """A GPU as its driver tells: memory in bytes."""

    name: str
    driver: str
    memory: int


def disks(workspace: Path) -> Iterator[Finding]:
    """Room where the workspace stands, and where temporary files go."""
    free = shutil.disk_usage(workspace).free
    told = f"{size(free)} free in the workspace ({workspace.resolve()})"
    remedy = "Free some (`make disk`, `make clean-work`), or put the workspace on another disk."
    status = "problem" if free < WORKSPACE_NEEDS else "warning" if free < WORKSPACE_LIKES else "ok"
    yield Finding("disk", told, status, remedy if status != "ok" else "")
    files = os.statvfs(workspace).f_favail
    if 0 < files < FEWEST_FILES:  # file systems without a fixed number of files say 0
        yield Finding("disk", f"{files:,} files more fit into the workspace's disk", "warning", remedy)
    temporary = Path(tempfile.gettempdir())
    free = shutil.disk_usage(temporary).free
    if free < TMP_LIKES:
        remedy = "Free some, or `export TMPDIR=` to a folder on another disk."
        yield Finding("disk", f"{size(free)} free for temporary files ({temporary})", "warning", remedy)
    else:
        yield Finding("disk", f"{size(free)} free for temporary files ({temporary})")


def processors() -> Finding:
    """Cores this process may use."""
    here, may = os.cpu_count() or 1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    limit = _cgroup_cores()
    cores = min(x for x in (here, may, limit) if x)
    told = f"{cores:g} core{'' if cores == 1 else 's'}" + (f" of {here}" if cores < here else "")
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads and threads.isdigit() and int(threads) > cores:
        remedy = f"`export OMP_NUM_THREADS={max(1, int(cores))}`, or leave it unset."
        return Finding("processor", f"{told}, but OMP_NUM_THREADS={threads}", "warning", remedy)
    return Finding("processor", told + (f", OMP_NUM_THREADS={threads}" if threads else ""))


def memory() -> Finding:
    """Memory that jobs can have."""
    try:
        import psutil
    except ImportError:  # told among the packages
        return Finding("memory", "cannot be told without psutil", "warning", "Run `make setup`.")
    limit = _number(MEMORY_LIMIT)
    total, free = min(psutil.virtual_memory().total, limit or sys.maxsize), free_memory()
    told = f"{size(free)} of {size(total)} memory available"
    remedy = "Run fewer jobs at once (`--cores 1`, or `--resources mem_mb=...`)."
    status = "problem" if total < MEMORY_NEEDS else "warning" if free < MEMORY_LIKES else "ok"
    return Finding("memory", told, status, remedy if status != "ok" else "")


def free_memory() -> int:
    """Bytes of memory that this process can have."""
    import psutil

    return min(psutil.virtual_memory().available, _number(MEMORY_LIMIT) or sys.maxsize)


def free_on_cards(names: Sequence[str]) -> int:
    """Bytes free on that one of some GPUs, by UUID, that has the fewest; 0 where nvidia-smi does not tell."""
    asked = ["nvidia-smi", f"--id={','.join(names)}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = [int(word) for word in done.stdout.split() if word.isdigit()]
    return min(found) << 20 if len(found) == len(names) else 0


def cards() -> tuple[list[Card], str]:
    """GPUs as nvidia-smi tells, and why it tells none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], "no nvidia-smi on PATH"
    asked = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"nvidia-smi does not answer ({type(error).__name__})"
    if done.returncode:
        return [], f"nvidia-smi says: {_last_line(done.stdout + done.stderr)}"
    found = []
    for line in filter(None, map(str.strip, done.stdout.splitlines())):
        name, driver, mebibytes = (part.strip() for part in line.rsplit(",", 2))
        found.append(Card(name, driver, int(float(mebibytes)) << 20 if mebibytes.replace(".", "").isdigit() else 0))
    return found, "" if found else "nvidia-smi lists none"


def gpus(found: list[Card], why_none: str) -> Iterator[Finding]:
    """What the driver sees, what torch sees, and whether they go together."""
    version, cuda, seen = torch()
    if cuda == "?":
        yield Finding("gpu", f"torch cannot be imported: {version}", "problem", "Run `make setup`.")
        return
    for card in found:
        yield Finding("gpu", f"{card.name}, {size(card.memory)}, driver {card.driver}")
    if not found:
        yield Finding(
            "gpu", f"none ({why_none}): data can be prepared, training of a large model takes a GPU", "warning",
            "Train on a machine with one; what was prepared here goes there (docs/sharing.md).",
        )  # fmt: skip
        return
    if cuda is None:
        remedy = "Install the CUDA build of the same version, from the index that PyTorch's page names for your driver."
        yield Finding("gpu", f"torch {version} is a build without CUDA and will not use them", "problem", remedy)
        return
    oldest = DRIVERS.get(int(cuda.split(".")[0]))
    driver = tuple(int(part) for part in found[0].driver.split(".") if part.isdigit())
    if oldest and driver and driver < oldest:
        wanted = ".".join(map(str, oldest))
        remedy = "Update the driver, or install a torch that is built for an older CUDA."
        told = f"driver {found[0].driver} is too old for torch {version} (CUDA {cuda}), which needs {wanted} or newer"
        yield Finding("gpu", told, "problem", remedy)
    elif len(seen) < len(found) and "CUDA_VISIBLE_DEVICES" not in os.environ:
        remedy = "Look at `nvidia-smi` for cards in another mode, and at permissions of /dev/nvidia*."
        yield Finding("gpu", f"torch {version} sees {len(seen)} of {len(found)} GPUs", "problem", remedy)
    else:
        yield Finding("gpu", f"torch {version} (CUDA {cuda}) sees {len(seen)} of {len(found)}")


def torch() -> tuple[str, str | None, list[str]]:
    """Version, CUDA version (None: built without) and GPUs that torch sees; the error and "?" where it does not load.

    In a process of its own: a broken build may end the one that imports it.
    """
    try:
        done = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=PATIENCE_S)
        version, cuda, seen = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"no answer within {PATIENCE_S} s", "?", []
    except (ValueError, IndexError):
        return _last_line(done.stderr) or f"its process ended with {done.returncode}", "?", []
    return version, cuda, seen


def _cgroup_cores() -> float | None:
    path = Path("/sys/fs/cgroup/cpu.max")
    parts = path.read_text().split() if path.is_file() else []
    return int(parts[0]) / int(parts[1]) if len(parts) == 2 and parts[0].isdigit() else None


def _number(path: Path) -> int | None:
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdigit() else None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
