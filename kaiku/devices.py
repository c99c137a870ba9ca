"""GPUs of this machine, each used by one process at a time: a program claims its own before any library looks for one.

A claim is an flock on a folder named after the device, below one that all users and workspaces of the machine share;
the kernel releases it when its process ends, however that ends. Folders, since cleaners of /tmp leave a locked folder
alone, and since any user may lock what it can read. Devices go by UUID throughout: numbers mean one order to
nvidia-smi, another to CUDA, and inside a SLURM job they begin with 0 whichever GPU it was given.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.progress import log, tell

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOCKS = Path("/tmp/kaiku-gpus")
"""Not in TMPDIR: jobs and users have one each, and would not meet."""
POLL_S = 0.5
_TIMEOUT_S = 60.0
_LISTED = re.compile(r"^\s*(GPU|MIG) .*\(UUID: ([^)]+)\)", re.M)
_held: dict[str, int] = {}


def visible() -> list[str]:
    """UUIDs of the GPUs that this process may use, in nvidia-smi's order; of a divided GPU (MIG), of its parts.

    Where CUDA_VISIBLE_DEVICES is set, those that it names, in its order; in a SLURM job only those SLURM put there.
    """
    named = os.environ.get(VISIBLE)
    if named is None:
        return [] if _in_slurm_job() else _listed()
    listed, found = _listed(), []
    for token in filter(None, map(str.strip, named.split(","))):
        match = _named(token, listed)
        if match is None:
            break  # as CUDA does: what follows an unknown name does not count
        found.append(match)
    return found


def claim(*wishes: str, count: int = 1, locks: Path = LOCKS) -> tuple[str, ...]:
    """Take GPUs for the life of this process and hide all others from it; waits, aloud, while others hold them.

    wishes: the `device` settings of all that the process is going to run. Only `cpu`: nothing is taken. `auto`: none is
    taken where there is none. `cuda`: that is a KaikuError. count: how many; all of them at once or none, so that two
    processes never wait for each other. Returns their UUIDs. Call it before torch or CTranslate2 look for a GPU.
    """
    if _held or not set(wishes) - {"cpu"}:
        return tuple(_held)
    known = visible()
    if not known:
        if "cuda" in wishes:
            raise KaikuError(
                f"no GPU for this process ({VISIBLE}={os.environ.get(VISIBLE, 'not set')})",
                expected="a GPU, since `device: cuda` insists on one",
                remedy="Look at `nvidia-smi -L`; in a SLURM job, ask for one (`gpu=1`); or set `device: auto`.",
            )
        if _in_slurm_job():
            os.environ.setdefault(VISIBLE, "")  # a GPU of this node is another job's
        return ()
    if len(known) < count:
        raise KaikuError(f"{count} GPUs are wanted, {len(known)} can be used here", expected=f"at least {count}")
    _held.update(_wait_for(known, count, locks))
    os.environ[VISIBLE] = ",".join(_held)
    log(f"on GPU {', '.join(_held)}")
    return tuple(_held)


def torch_device(wish: str) -> str:
    """What torch is to call the place a model goes to, `cuda` or `cpu`, once this process has claimed what it may."""
    if wish == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wish == "cuda":
        raise KaikuError(
            f"`device: cuda`, but torch {torch.__version__} finds no GPU",
            remedy="Install a torch built for CUDA, look at nvidia-smi, or set `device: auto`.",
        )
    return "cpu"


def _in_slurm_job() -> bool:
    return "SLURM_JOB_ID" in os.environ


def _listed() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise KaikuError(f"nvidia-smi did not answer within {_TIMEOUT_S:.0f} s", remedy="Look after the GPU.") from None
    if done.returncode:
        return []  # a driver without a GPU says so by its exit code
    found: list[list[str]] = []
    for kind, uuid in _LISTED.findall(done.stdout):
        if kind == "GPU":
            found.append([uuid])
        else:
            found[-1] = [part for part in found[-1] if part.startswith("MIG")] + [uuid]
    return [uuid for parts in found for uuid in parts]


def _named(token: str, listed: Sequence[str]) -> str | None:
    """The device that a number or the beginning of a UUID means."""
    if token.isdigit():
        return listed[int(token)] if int(token) < len(listed) else None
    matches = [uuid for uuid in listed if uuid.startswith(token)]
    return matches[0] if len(matches) == 1 else None


def _wait_for(known: Sequence[str], count: int, locks: Path) -> dict[str, int]:
    told = False
    while True:
        taken = _take(known, count, locks)
        if taken:
            return taken
        if not told:
            told = True
            tell(f"waiting for a GPU: {_holders(known, locks)}")
        time.sleep(POLL_S)


def _take(known: Sequence[str], count: int, locks: Path) -> dict[str, int]:
    """Lock the first `count` that are free, name -> descriptor; none where there are fewer."""
    taken: dict[str, int] = {}
    with _one_at_a_time(locks):
        for name in known:
            descriptor = _open_locked(_folder(locks, name))
            if descriptor is not None:
                taken[name] = descriptor
            if len(taken) == count:
                return taken
    for descriptor in taken.values():
        os.close(descriptor)
    return {}


@contextmanager
def _one_at_a_time(locks: Path) -> Iterator[None]:
    """Two that want several devices each might otherwise take half of them each, over and over."""
    descriptor = _open(locks, 0o1777)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _folder(locks: Path, name: str) -> Path:
    return locks / name.replace("/", "_")


def _open(folder: Path, mode: int) -> int:
    """A folder's descriptor; made where it is not there, with a mode that no umask narrows."""
    deadline = time.monotonic() + 2
    while True:
        try:
            folder.mkdir()
            folder.chmod(mode)
        except FileExistsError:
            pass
        try:
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            # cleaned away just now, or just made and not readable yet
            if not isinstance(error, FileNotFoundError | PermissionError) or time.monotonic() > deadline:
                raise KaikuError(f"{folder} cannot be opened: {error}", remedy="Remove it, or mend its mode.") from None
            time.sleep(0.01)


def _open_locked(folder: Path) -> int | None:
    """A device's folder, locked; None where another process has it."""
    while True:
        descriptor = _open(folder, 0o755)
        locked = _lock(descriptor)
        if locked and _is_still(folder, descriptor):
            return descriptor
        os.close(descriptor)
        if not locked:
            return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(folder: Path, descriptor: int) -> bool:
    """False where the folder was removed between opening and locking: the lock would be nobody else's."""
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holders(known: Sequence[str], locks: Path) -> str:
    """Who holds each device, as far as the kernel tells; processes of other containers stay unnamed."""
    return "; ".join(f"{name} is held by {_holder(_folder(locks, name))}" for name in known)


def _holder(folder: Path) -> str:
    inode = folder.stat().st_ino if folder.exists() else 0
    for line in Path("/proc/locks").read_text().splitlines():
        found = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", line)
        if found:
            return f"process {found[1]}{_doing(found[1])}"
    return "another process"


def _doing(pid: str) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return f" ({words[words.index('-m') + 1]})" if "-m" in words[:-1] else ""
