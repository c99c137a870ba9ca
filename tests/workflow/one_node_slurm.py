"""A SLURM of one node on loopback, in a folder of its own: munged, slurmctld and slurmd, ended with the block.

Everything is a process of the calling user; nothing of a SLURM that is installed here is configured or touched. The
node has two cores and one GPU that is none (`/dev/null`), so that a job that asks for one gets CUDA_VISIBLE_DEVICES=0,
and an nvidia-smi that lists it. Processes are tracked by group: as under control groups, the node kills what outlives a
job's first process.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

CONF = """\
ClusterName=kaiku
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
MpiDefault=none
KillWait={kill_wait_s}
JobRequeue=1
MinJobAge=36000
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

SRUN = """\
#!/bin/sh
# the jobstep executor clears SLURM_* before it calls srun, and this cluster's configuration is not in /etc/slurm
SLURM_CONF={conf} exec {srun} "$@"
"""


NVIDIA_SMI = """\
#!/bin/sh
echo 'GPU 0: none (UUID: {gpu})'
"""
GPU = "GPU-of-one-node-slurm"


def missing_programs() -> list[str]:
    """What of SLURM and munge is not installed here."""
    return [name for name in PROGRAMS if _program(name) is None]


@dataclass(frozen=True)
class Job:
    """A SLURM job as the controller remembers it.

    rule: what Snakemake submitted it for, with wildcards; gpus: as asked for, `gres:gpu:1`, empty for none.
    """

    id: str
    rule: str
    state: str
    elapsed: str
    gpus: str
    restarts: int


@dataclass(frozen=True)
class OneNodeSlurm:
    """A running SLURM; `environment` is what its clients need."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder}/bin{os.pathsep}{SEARCH}"
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def call(self, *command: str) -> str:
        """Output of a SLURM client, `squeue` and the like."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def jobs(self) -> list[Job]:
        """All jobs since the start, oldest first."""
        lines = self.call("scontrol", "--oneliner", "show", "jobs").splitlines()
        records = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in lines if line.startswith("JobId=")]
        return [
            Job(
                id=record["JobId"],
                rule=record.get("Comment", "").removeprefix("rule_"),
                state=record["JobState"],
                elapsed=record["RunTime"],
                gpus=record.get("TresPerJob", ""),
                restarts=int(record["Restarts"]),
            )
            for record in sorted(records, key=lambda record: int(record["JobId"]))
        ]


@contextmanager
def one_node_slurm(folder: Path, *, kill_wait_s: int = 30) -> Iterator[OneNodeSlurm]:
    """Start munged, slurmctld and slurmd in an empty folder with a short path; end them with the block.

    kill_wait_s: how long after SIGTERM a job is killed.
    """
    _configure(folder, kill_wait_s)
    slurm = OneNodeSlurm(folder)
    daemons = []
    try:
        for command in _daemons(folder):
            daemons.append(_start(command, slurm.environment, folder))
        _wait_for_the_node(slurm)
        yield slurm
        _end_jobs(slurm)
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _end_jobs(slurm: OneNodeSlurm, timeout_s: float = 60) -> None:
    """Jobs outlive the daemons; what a failed test left behind must not."""
    slurm.call("scancel", "--quiet", f"--user={_user()}")
    deadline = time.monotonic() + timeout_s
    while slurm.call("squeue", "--noheader") and time.monotonic() < deadline:
        time.sleep(0.2)


def _configure(folder: Path, kill_wait_s: int) -> None:
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    names = {
        "host": socket.gethostname().partition(".")[0],
        "folder": folder,
        "user": _user(),
        "controller_port": _free_port(),
        "node_port": _free_port(),
        "kill_wait_s": kill_wait_s,
    }
    (folder / "slurm.conf").write_text(CONF.format(**names))
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    scripts = {
        "srun": SRUN.format(conf=folder / "slurm.conf", srun=_program("srun")),
        "nvidia-smi": NVIDIA_SMI.format(gpu=GPU),
    }
    for name, text in scripts.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)


def _daemons(folder: Path) -> Iterator[list[str]]:
    """Commands in the order of their start, each in the foreground, so that it ends by its own process."""
    munge = {"key-file": "key", "socket": "sock", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{suffix}" for option, suffix in munge.items()]
    yield [_program("munged"), "--foreground", "--force", "--num-threads=2", *options]
    yield [_program("slurmctld"), "-D", "-c", "-f", f"{folder}/slurm.conf"]
    yield [_program("slurmd"), "-D", "-c", "-f", f"{folder}/slurm.conf"]


def _start(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen:
    with open(folder / f"{Path(command[0]).name}.out", "wb") as out:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def _wait_for_the_node(slurm: OneNodeSlurm, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=slurm.environment, capture_output=True, text=True
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text()[-2000:] for path in sorted(slurm.folder.glob("*.log")))
    raise RuntimeError(f"no idle node after {timeout_s} s\n{logs}")


def _program(name: str) -> str | None:
    return shutil.which(name, path=SEARCH)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
