"""Claims of GPUs, by processes of their own on devices that are only names."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yte

from kaiku import devices
from kaiku.errors import KaikuError
from kaiku.loading import codec_device, on_cpu
from kaiku.sections import CodecSettings

CLAIMING = """
import os, sys, time
from pathlib import Path
from kaiku import devices
held = devices.claim("auto", count=int(sys.argv[2]), locks=Path(sys.argv[1]) / "locks")
marks = [os.open(Path(sys.argv[1]) / name, os.O_CREAT | os.O_EXCL) for name in held]  # fails where another is at it
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
time.sleep(float(sys.argv[3]))
for name in held:
    os.unlink(Path(sys.argv[1]) / name)
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch) -> Iterator:
    """Let nvidia-smi list some devices, for this process and those it starts."""
    monkeypatch.setattr(devices, "_held", {})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv(devices.VISIBLE, raising=False)

    def listing(*lines: str, status: int = 0) -> None:
        program = tmp_path / "bin/nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + f"\nEND\nexit {status}\n")
        program.chmod(0o755)

    yield listing
    for descriptor in devices._held.values():
        os.close(descriptor)


def gpu(number: int) -> str:
    return f"GPU {number}: NVIDIA H100 80GB HBM3 (UUID: GPU-{number}a4c)"


def claiming(folder: Path, *, count: int = 1, hold_s: float = 0.2) -> subprocess.Popen:
    command = [sys.executable, "-c", CLAIMING, str(folder), str(count), str(hold_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_racing_processes_never_share_a_device(gpus, tmp_path):
    gpus(gpu(0), gpu(1))
    processes = [claiming(tmp_path) for _ in range(6)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, ends
    assert {said.strip() for said, _ in ends} == {"GPU-0a4c", "GPU-1a4c"}


def test_several_at_once_without_a_deadlock(gpus, tmp_path):
    gpus(gpu(0), gpu(1), gpu(2))
    processes = [claiming(tmp_path, count=count) for count in (2, 3, 2, 1)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    assert [len(said.split(",")) for said, _ in ends] == [2, 3, 2, 1]


def test_a_killed_holder_frees_its_device_and_who_waits_says_for_whom(gpus, tmp_path):
    gpus(gpu(0))
    holder = claiming(tmp_path, hold_s=600)
    assert holder.stdout.readline() == "GPU-0a4c\n"
    (tmp_path / "GPU-0a4c").unlink()
    waiting = claiming(tmp_path)
    assert f"GPU-0a4c is held by process {holder.pid}" in waiting.stderr.readline()
    time.sleep(2 * devices.POLL_S)
    assert waiting.poll() is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert waiting.communicate(timeout=60)[0] == "GPU-0a4c\n"


def test_a_claim_is_for_the_process_and_once(gpus, tmp_path):
    gpus(gpu(0), gpu(1))
    assert devices.claim("cpu", "auto", locks=tmp_path / "locks") == ("GPU-0a4c",)
    assert devices.claim("cuda", locks=tmp_path / "locks") == ("GPU-0a4c",)
    assert os.environ[devices.VISIBLE] == "GPU-0a4c"


def test_whoever_wants_the_cpu_claims_nothing(gpus, tmp_path):
    gpus(gpu(0))
    assert devices.claim("cpu", locks=tmp_path / "locks") == ()
    assert devices.VISIBLE not in os.environ and not (tmp_path / "locks").exists()


def test_locks_are_open_to_other_users_whatever_the_umask(gpus, tmp_path):
    gpus(gpu(0))
    before = os.umask(0o077)
    try:
        devices.claim("auto", locks=tmp_path / "locks")
    finally:
        os.umask(before)
    modes = [(tmp_path / "locks" / name).stat().st_mode & 0o7777 for name in ("", "GPU-0a4c")]
    assert modes == [0o1777, 0o755]


def test_a_lock_that_was_cleaned_away_is_made_anew(gpus, tmp_path, monkeypatch):
    """Removed between opening and locking: the claim goes to a folder that others can see."""
    gpus(gpu(0))
    locked, removed = devices._lock, []

    def remove_once(descriptor: int) -> bool:
        if not removed:
            removed.append((tmp_path / "locks/GPU-0a4c").rmdir())
        return locked(descriptor)

    monkeypatch.setattr(devices, "_lock", remove_once)
    assert devices.claim("auto", locks=tmp_path / "locks") == ("GPU-0a4c",)
    assert os.path.samestat(os.stat(tmp_path / "locks/GPU-0a4c"), os.fstat(devices._held["GPU-0a4c"]))


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(gpus, tmp_path):
    gpus("No devices found.", status=6)
    assert devices.claim("auto", locks=tmp_path / "locks") == ()
    with pytest.raises(KaikuError, match="insists"):
        devices.claim("auto", "cuda", locks=tmp_path / "locks")
    gpus(gpu(0))
    with pytest.raises(KaikuError, match="2 GPUs are wanted, 1 can be used"):
        devices.claim("auto", count=2, locks=tmp_path / "locks")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, ["GPU-0a4c", "GPU-1a4c"]),
        ("1", ["GPU-1a4c"]),
        ("1, 0", ["GPU-1a4c", "GPU-0a4c"]),
        ("GPU-1", ["GPU-1a4c"]),
        ("0,7,1", ["GPU-0a4c"]),
        ("GPU-", []),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_devices_that_the_environment_names(gpus, monkeypatch, named, expected):
    gpus(gpu(0), gpu(1))
    if named is not None:
        monkeypatch.setenv(devices.VISIBLE, named)
    assert devices.visible() == expected


def test_parts_of_a_divided_gpu_are_devices(gpus):
    parts = [f"  MIG 1g.10gb     Device  {i}: (UUID: MIG-{i}f0)" for i in range(2)]
    gpus(gpu(0), *parts, gpu(1))
    assert devices.visible() == ["MIG-0f0", "MIG-1f0", "GPU-1a4c"]


def test_a_slurm_job_uses_only_what_it_was_given(gpus, tmp_path, monkeypatch):
    gpus(gpu(0))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert devices.claim("auto", locks=tmp_path / "locks") == ()
    assert os.environ[devices.VISIBLE] == ""
    monkeypatch.setenv(devices.VISIBLE, "0")
    assert devices.claim("auto", locks=tmp_path / "locks") == ("GPU-0a4c",)


def test_torch_is_asked_last(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (devices.torch_device("cpu"), devices.torch_device("auto")) == ("cpu", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.torch_device("auto") == "cpu"
    with pytest.raises(KaikuError, match="finds no GPU"):
        devices.torch_device("cuda")


def test_who_asks_what_a_codec_is_needs_no_gpu():
    mimi, env = CodecSettings(kind="mimi", base="given", options={"codebooks": 4}), CodecSettings(kind="env", base="b")
    assert (codec_device(mimi), codec_device(env)) == ("auto", "cpu")
    assert on_cpu(mimi).options == {"codebooks": 4, "device": "cpu"} and on_cpu(env) == env


@pytest.mark.parametrize("words", [["--executor", "slurm"], ["--executor=slurm"], ["-e", "slurm"]])
def test_the_gpu_profile_counts_devices_on_a_box_and_jobs_on_a_cluster(gpus, monkeypatch, words):
    """Never `jobs` beside `cores`: Snakemake then takes the cores of the machine for unlimited."""
    gpus(gpu(0), gpu(1))
    text = (Path(__file__).parents[1] / "profiles/gpu/config.yaml").read_text()
    monkeypatch.setattr(sys, "argv", ["snakemake", "--profile", "gpu"])
    box = yte.process_yaml(text, require_use_yte=True)
    assert (box["cores"], box["resources"], "jobs" in box) == ("all", ["gpu=2"], False)
    monkeypatch.setattr(sys, "argv", ["snakemake", "--profile", "gpu", *words])
    cluster = yte.process_yaml(text, require_use_yte=True)
    assert (cluster["jobs"], "cores" in cluster, "resources" in cluster) == (100, False, False)


def test_every_rule_that_asks_for_a_gpu_calls_a_program_that_claims_one():
    root = Path(__file__).parents[1]
    rules = "".join(path.read_text() for path in sorted((root / "rules").glob("*.smk")))
    asking = [rule.partition(":")[0] for rule in rules.split("\nrule ")[1:] if "        gpu=" in rule]
    claiming = [p.stem for p in (root / "workflow_scripts").glob("*.py") if "devices.claim(" in p.read_text()]
    assert sorted(asking) == sorted(claiming) and len(asking) == 8
