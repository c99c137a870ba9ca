"""Kill runs of the toy again and again until one gets through, and compare all it made with an undisturbed run.

python tests/workflow/kills.py /tmp/kills --kills 200 --seed 0 </dev/null > kills.log 2>&1

Each kill is of a random kind, some jobs and seconds after the call; the same literal call follows it, which may be
killed again. Once that has come through, the next round starts from nothing, until all kills are dealt.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import psutil
import yaml
from small_world import REPO, Workspace

from kaiku.workspace import stop

ROOTS = ("data", "models", "results", "dist")
IDLE_S = 60
"""How long a call that was killed may go on without a job."""
MEAN_S = 4
"""Seconds from the start of a job, or of the call, to a kill."""
TIMES = {"seconds", "cpu_seconds", "train_seconds", "steps_per_second", "real_time_factor", "created", "finished"}
"""Names of figures that no two runs share."""
RECORDINGS = ("[oa]*o/train-0[1-5].*", "[oa]*o/heldout-01.*")
WITHOUT_CARRY = {"select_segments", "write_report", "package_model"}
"""Rules that make their output anew whenever they run; any other computes nothing twice."""
OPTIONS = [(), ("--retries", "1"), ("--keep-going",)]
"""Of the literal call, by round."""


@dataclass
class Call:
    """A literal call in a process group of its own."""

    workspace: Workspace
    log: Path
    options: tuple[str, ...]
    process: subprocess.Popen = field(init=False)

    def __post_init__(self):
        with open(self.log, "w") as log:
            call = self.workspace.call(*self.options)
            self.process = subprocess.Popen(**call, stdout=log, stderr=log, process_group=0, preexec_fn=hear_signals)

    def group(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def alone(self, number: int) -> None:
        self.process.send_signal(number)

    def started(self) -> int:
        """Jobs that this call has started."""
        return len(re.findall(r"^(?:local)?rule \w+:", self.log.read_text(), re.M))

    def programs(self) -> list[stop.Program]:
        try:
            return list(stop.programs(psutil.Process(self.process.pid)))
        except psutil.NoSuchProcess:
            return []

    def job(self, number: int) -> None:
        for program in self.programs()[:1]:
            program.process.send_signal(number)


def hear_signals() -> None:
    """Signals that a script's `&` or `nohup` has ignored are heard again."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def stopped(call: Call) -> None:
    """Of a call that has not taken the lock yet, `make stop` says that no run is there."""
    while not stop.stop(call.workspace.root / "work/run.lock", patience_s=3600) and call.process.poll() is None:
        time.sleep(0.2)


def interrupted_twice(call: Call) -> None:
    call.alone(signal.SIGINT)
    time.sleep(0.5)
    call.alone(signal.SIGINT)


OF_A_JOB: dict[str, Callable[[Call], None]] = {
    "SIGTERM to a job": lambda call: call.job(signal.SIGTERM),
    "kill -9 of a job": lambda call: call.job(signal.SIGKILL),
}
KINDS: dict[str, Callable[[Call], None]] = {
    "Ctrl-C": lambda call: call.group(signal.SIGINT),
    "Ctrl-C twice, Snakemake alone": interrupted_twice,
    "SIGTERM to all": lambda call: call.group(signal.SIGTERM),
    "SIGTERM to Snakemake alone": lambda call: call.alone(signal.SIGTERM),
    "terminal closed": lambda call: call.group(signal.SIGHUP),
    "SIGHUP to Snakemake alone": lambda call: call.alone(signal.SIGHUP),
    "kill -9 of all": lambda call: call.group(signal.SIGKILL),
    "kill -9 of Snakemake alone": lambda call: call.alone(signal.SIGKILL),
    "make stop": stopped,
    **OF_A_JOB,
}


@dataclass
class Tally:
    """What was dealt, and what it cost."""

    kinds: Counter = field(default_factory=Counter)
    stages: Counter = field(default_factory=Counter)
    ends: Counter = field(default_factory=Counter)
    hung: Counter = field(default_factory=Counter)
    computed: Counter = field(default_factory=Counter)
    rounds: int = 0
    differences: list[str] = field(default_factory=list)

    def dealt(self) -> int:
        return sum(self.kinds.values())


def kill_once(call: Call, kind: str, rng: random.Random, tally: Tally) -> bool:
    """Deal one kill some jobs and seconds from now; False where the run was over before."""
    jobs, after_s = call.started() + rng.randint(0, 3), rng.expovariate(1 / MEAN_S)
    while call.started() < jobs and call.process.poll() is None:
        time.sleep(0.1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        call.process.wait(after_s)
        return False
    tally.kinds[kind] += 1
    stages = [program.name for program in call.programs()] or ["(no job: planning, or between jobs)"]
    tally.stages.update(stages)
    print(f"{tally.dealt():4d} {kind} at {', '.join(stages)}", flush=True)
    begun = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        KINDS[kind](call)
    if kind in OF_A_JOB:
        return True  # the run may go on
    if hangs(call):
        tally.hung[kind] += 1
        call.alone(signal.SIGINT)
    end = call.process.wait()
    tally.ends[f"{kind}: exit {end}"] += 1
    took_s = time.monotonic() - begun
    print(f"     exit {end} after {took_s:.1f} s", flush=True)
    return True


def hangs(call: Call) -> bool:
    """Wait for a run to end; True where it goes on without a job. SIGTERM may come while Snakemake holds a lock that
    its handler wants; an interrupt frees it then."""
    idle_since = time.monotonic()
    while call.process.poll() is None:
        time.sleep(0.2)
        if call.process.poll() is None and call.programs():
            idle_since = time.monotonic()
        if time.monotonic() - idle_since > IDLE_S:
            return True
    return False


def one_round(workspace: Workspace, log: Path, rng: random.Random, kills: int, tally: Tally) -> None:
    """From nothing to the end, through as many kills as it takes."""
    finished: dict[Path, tuple[int, int]] = {}
    options = OPTIONS[tally.rounds % len(OPTIONS)]
    while True:
        call = Call(workspace, log, options)
        killed = False
        while tally.dealt() < kills and call.process.poll() is None:
            killed |= kill_once(call, rng.choice(list(KINDS)), rng, tally)
        code = call.process.wait()
        tally.computed.update(newly_computed(workspace.root, finished))
        if not killed:
            if code:
                raise SystemExit(f"a literal call failed with {code}, see {log}")
            return


def newly_computed(root: Path, finished: dict[Path, tuple[int, int]]) -> Counter:
    """Items by rule that jobs which came to their end since the last look had computed."""
    found = Counter()
    for path in root.glob("logs/*/*.counts.json"):
        stamp = (path.stat().st_ino, path.stat().st_mtime_ns)
        if finished.get(path) != stamp:
            finished[path] = stamp
            found[path.parent.name] += json.loads(path.read_text())["computed"]
    return found


def contents(root: Path) -> dict[str, str]:
    """Digest of every artefact by path, without what no two runs share: seconds, in records and in the reports."""
    files = (p for name in ROOTS for p in sorted((root / name).rglob("*")) if p.is_file())
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in files if not p.name.startswith(".")}
    for package in [path for path in found if path.endswith(".tar.gz")]:
        with tarfile.open(fileobj=io.BytesIO(found.pop(package))) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        found |= {f"{package}/{name}": data for name, data in members.items()}
    return {path: hashlib.sha256(lasting(path, data)).hexdigest() for path, data in found.items()}


def lasting(path: str, data: bytes) -> bytes:
    """A file's content without seconds."""
    if path.endswith(".json"):
        return json.dumps(without_times(json.loads(data)), sort_keys=True).encode()
    if path.endswith("report.html"):
        return re.sub(rb'<section aria-labelledby="timings">.*?</section>', b"", data, flags=re.DOTALL)
    if path.endswith("SHA256SUMS"):
        return b"\n".join(line for line in data.splitlines() if not line.endswith(b"report.html"))
    return data


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def litter(root: Path) -> Iterator[str]:
    """Half-written files that a kill left and nothing swept."""
    for name in (*ROOTS, "work"):
        for path in (root / name).rglob(".*"):
            if path.suffix in (".part", ".link", ".old"):
                yield path.relative_to(root).as_posix()


def prepare(root: Path) -> Workspace:
    """A few recordings of the toy's two voices, and so few steps that a run takes a minute."""
    for path in (path for pattern in RECORDINGS for path in (REPO / "toy/corpus").glob(pattern)):
        (root / path.relative_to(REPO)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, root / path.relative_to(REPO))
    config = yaml.safe_load((REPO / "config/config.yaml").read_text())
    config["datasets"] = {name: config["datasets"][name] for name in ("otso", "aino", "voices")}
    config["corpora"] = {name: config["corpora"][name] for name in ("otso", "aino")}
    config["codecs"]["toy"]["options"] = {"post_steps": 5}
    for own in config["runs"].values():
        own["train"] |= {"max_steps": 16, "warmup_steps": 2, "eval_every": 4, "save_every": 4}
        own["samples"] = {"sentences": 1}
    (root / "config").mkdir()
    workspace = Workspace(root)
    workspace.configure(config)
    return workspace


def main(argv=None) -> int:
    """Program entry; 1 where anything differs, or was computed twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rng, tally = random.Random(args.seed), Tally()
    args.folder.mkdir(parents=True)
    undisturbed = prepare(args.folder / "undisturbed")
    begun = time.monotonic()
    undisturbed.snakemake()
    print(f"undisturbed: {time.monotonic() - begun:.0f} s", flush=True)
    expected, once = contents(undisturbed.root), newly_computed(undisturbed.root, {})
    while tally.dealt() < args.kills:
        tally.rounds += 1
        workspace = prepare(args.folder / f"round-{tally.rounds}")
        one_round(workspace, args.folder / "snakemake.log", rng, args.kills, tally)
        found = contents(workspace.root)
        different = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
        tally.differences += [f"round {tally.rounds}: {path}" for path in different]
        left = sorted(litter(workspace.root))
        print(f"round {tally.rounds}: {len(different)} of {len(expected)} files differ; litter: {left}", flush=True)
        if not different:
            shutil.rmtree(workspace.root)
    twice = {rule: n - once[rule] * tally.rounds for rule, n in tally.computed.items() if n > once[rule] * tally.rounds}
    print(f"computed by jobs that came to their end: {dict(tally.computed)}; undisturbed, a round: {dict(once)}")
    print(f"computed twice: {twice}")
    wasted = twice.keys() - WITHOUT_CARRY
    for title in ("kinds", "stages", "ends", "hung"):
        print(f"{title}:", *(f"  {n:4d} {name}" for name, n in getattr(tally, title).most_common()), sep="\n")
    print("differences:", *tally.differences, sep="\n  ")
    return 1 if tally.differences or wasted else 0


if __name__ == "__main__":
    raise SystemExit(main())
