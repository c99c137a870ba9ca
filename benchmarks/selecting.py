"""What deciding anew after a changed threshold costs, beside reading and writing the same tables.

python benchmarks/selecting.py --clips 100000 --shards 8

A corpus of that many clips is made up in a temporary folder: segments, transcripts and the measures of all default
checks, long as they are stored. Then the workflow's own program decides every shard, under one threshold and under
another; the account is checked to balance to the millisecond. At last the dataset's report is made. CPU seconds are
user and system together, of a process of its own for each line; memory is its peak.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kaiku import plugins
from kaiku import settings as configuration
from kaiku.settings import DEFAULT_CHECKS
from kaiku.store import rows
from kaiku.store.artefacts import MEASURES, SEGMENTS, TRANSCRIPTS
from kaiku.store.shards import shard_name

REPO = Path(__file__).parents[1]
MOST_CPU_S, MOST_MB = 10.0, 1000.0
CLIPS_A_RECORDING = 20
CONFIG = {
    "system": "scale",
    "corpora": {"voices": {"layout": "recordings", "language": "fi", "licence": "CC0-1.0"}},
    "datasets": {
        "voices": {
            "corpora": ["voices"],
            "select": {"duration_s": [1, 15], "hum_db": {"max": 12}},
            "warn": {"rms_db": [-40, -15]},
        }
    },
}
LAUNCH = """
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "rss_mb": used.ru_maxrss / 1024}))
sys.exit(status)
"""  # a small process starts the measured one, which would else count its parent's memory as its own
IMPORTS = "import json, sys, pandas, pyarrow.parquet; from workflow_scripts import select_segments, report_dataset"
DECIDE = IMPORTS + "\nfor call in json.loads(sys.stdin.read()):\n    assert select_segments.main(call) == 0"
SURVEY = IMPORTS + "\nassert report_dataset.main(json.loads(sys.stdin.read())) == 0"
BARE = (
    IMPORTS
    + """
from pathlib import Path
from kaiku.store import rows
for reads, source, target in json.loads(sys.stdin.read()):
    for path in reads:
        rows.read(Path(path)).to_pandas()
    rows.write(Path(target), rows.read(Path(source)))"""
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=8)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shards = [shard_name(number) for number in range(args.shards)]
        for number, shard in enumerate(shards):
            write_shard(root, shard, args.clips // args.shards, seed=number)
        report(root, shards)


def report(root: Path, shards: Sequence[str]) -> None:
    """Print the costs, and fail where a threshold costs more than it may."""
    calls = [decision(shard) for shard in shards]
    configure(root, least_s=1.0)
    costs = {"imports alone": cost(root, IMPORTS, []), "first decision": cost(root, DECIDE, calls)}
    configure(root, least_s=2.5)
    costs["changed threshold"] = cost(root, DECIDE, calls)
    bare = [[*inputs(shard).values()] for shard in shards]
    bare = [(reads, selection(shard), f"bare/{shard}.parquet") for reads, shard in zip(bare, shards)]
    costs["bare read and write"] = cost(root, BARE, bare)
    costs["dataset's report"] = cost(root, SURVEY, survey(shards))
    start = costs["imports alone"]["cpu_s"]
    for name, found in costs.items():
        print(f"{name:20} {found['cpu_s']:6.2f} s CPU {found['rss_mb']:6.0f} MB")
    ratio = (costs["changed threshold"]["cpu_s"] - start) / (costs["bare read and write"]["cpu_s"] - start)
    print(f"changed threshold: {ratio:.1f} times reading and writing the same tables, imports apart")
    balance(json.loads((root / "account.json").read_text())["account"])
    changed = costs["changed threshold"]
    if changed["cpu_s"] > MOST_CPU_S or changed["rss_mb"] > MOST_MB:
        raise SystemExit(f"a changed threshold may cost {MOST_CPU_S:g} s CPU and {MOST_MB:g} MB")


def balance(account: dict) -> None:
    """Fail where a millisecond or a clip is not accounted for."""
    parts = [account["kept"], account["outside"], *account["dropped"].values()]
    for unit in ("ms", "clips"):
        total = sum(part[unit] for part in parts)
        if total != account["source"][unit] + account["overlap"][unit]:
            raise SystemExit(f"{total} {unit} kept, dropped and outside of {account['source'][unit]} {unit}")
    print(f"{account['source']['clips']} clips, {account['source']['ms']} ms: every one accounted for")


def cost(root: Path, code: str, value: object) -> dict[str, float]:
    """Cost of a process that does something with a value given as JSON."""
    command = [sys.executable, "-c", LAUNCH, sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)},
        input=json.dumps(value),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def configure(root: Path, least_s: float) -> None:
    config = json.loads(json.dumps(CONFIG))
    config["datasets"]["voices"]["select"]["duration_s"][0] = least_s
    (root / "work").mkdir(exist_ok=True)
    resolved = configuration.load(config).model_dump(mode="json")
    (root / "work/settings.json").write_text(json.dumps(resolved))


def inputs(shard: str) -> dict[str, str]:
    """Tables of a shard by the option that names them."""
    folders = {"segments": "segments", "transcripts": "transcripts/given", "measures": "measures"}
    return {name: f"data/{folder}/voices/{shard}.parquet" for name, folder in folders.items()}


def selection(shard: str) -> str:
    return f"data/selection/voices/voices/{shard}.parquet"


def decision(shard: str) -> list[str]:
    tables = [word for name, path in inputs(shard).items() for word in (f"--{name}", path)]
    return ["--dataset", "voices", "--corpus", "voices", *tables, "--recordings", "6", "--rows", selection(shard)]


def survey(shards: Sequence[str]) -> list[str]:
    tables = {"selection": [selection(shard) for shard in shards]}
    tables |= {name: [inputs(shard)[name] for shard in shards] for name in inputs("")}
    words = [word for name, paths in tables.items() for word in (f"--{name}", *paths)]
    return [
        "--dataset",
        "voices",
        *words,
        "--page",
        "report.html",
        "--account",
        "account.json",
        "--carry",
        "work/carry",
    ]


def write_shard(root: Path, shard: str, clips: int, seed: int) -> None:
    """Tables of so many clips of half a second to twenty, with pauses between."""
    rng = np.random.default_rng(seed)
    recording = np.arange(clips) // CLIPS_A_RECORDING
    names = [f"{shard}-recording-{number:06d}" for number in recording]
    lengths_s, pauses_s = np.round(rng.uniform(0.5, 20, clips), 6), rng.uniform(0.1, 1, clips)
    first = recording * CLIPS_A_RECORDING
    ends_s = np.cumsum(lengths_s + pauses_s)
    ends_s -= np.concatenate([[0], ends_s])[first]
    whole_s = np.maximum.reduceat(ends_s, np.unique(first))[recording] + 1
    clip = [f"{name}@{end:012.3f}" for name, end in zip(names, ends_s)]
    common = {"item": names, "key": ["0" * 32] * clips, "status": ["ok"] * clips, "clip": clip}
    segments = {"recording": names, "start_s": ends_s - lengths_s, "end_s": ends_s, "recording_s": whole_s}
    segments |= {"speaker": [f"speaker-{n % 50}" for n in recording], "language": ["fi"] * clips}
    text = [f"lause numero {n}, jonka joku sanoo aivan tavallisena päivänä" for n in range(clips)]
    write(root / inputs(shard)["segments"], SEGMENTS, {**common, **segments})
    spoken = {"text_raw": text, "text": text, "confidence": np.ones(clips)}
    write(root / inputs(shard)["transcripts"], TRANSCRIPTS, {**common, "item": clip, **spoken})
    taken = [(check, field) for check in DEFAULT_CHECKS for field in plugins.find("checks", check).FIELDS]
    spans = {"rms_db": (-45, -10), "hum_db": (0, 14), "duration_s": (0.5, 20)}
    long = {
        "item": [f"{name}:{check}" for name in clip for check, _ in taken],
        "clip": [name for name in clip for _ in taken],
        "check": [check for check, _ in taken] * clips,
        "measure": [field for _, field in taken] * clips,
        "value": np.stack([rng.uniform(*spans.get(field, (0, 1)), clips) for _, field in taken], axis=1).ravel(),
    }
    long |= {"key": ["0" * 32] * len(long["clip"]), "status": ["ok"] * len(long["clip"])}
    write(root / inputs(shard)["measures"], MEASURES, long)


def write(path: Path, schema: pa.Schema, columns: dict) -> None:
    """A table of this schema; columns that are not given are null."""
    length = len(columns["clip"])
    arrays = [pa.array(columns.get(field.name, [None] * length), field.type) for field in schema]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write(path, pa.Table.from_arrays(arrays, schema=schema))


if __name__ == "__main__":
    main()
