"""What a plan costs where nothing is to be done, beside a bare start of Snakemake and a plain walk of the recordings.

python benchmarks/planning.py --clips 1000000 --recordings 20000 --shards 256
python benchmarks/planning.py --clips 2000 --recordings 200 --shards 4 --profile      and where the time goes

A workspace of that size is made in a temporary folder: small raw files with captions, scanned as ever; artefacts of
every stage with the right schema and number of rows; records by Snakemake itself (`--touch`).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import yaml

from kaiku import settings as configuration
from kaiku import stages
from kaiku.loading import CODEC_FILES
from kaiku.settings import Settings
from kaiku.store import atomic, rows
from kaiku.store.artefacts import MEASURES, SEGMENTS, SELECTION, TOKENS, TRANSCRIPTS
from kaiku.store.shards import shard_name

REPO = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--resources", "gpu=1"]
CONFIG = {
    "system": "scale",
    "corpora": {"voices": {"layout": "recordings", "language": "fi", "speaker": "aino", "licence": "CC0-1.0"}},
    "datasets": {"voices": {"corpora": ["voices"]}},
    "codecs": {"env": {"kind": "env", "dataset": "voices"}},
    "runs": {"base": {"family": "fish", "dataset": "voices", "codec": "env"}},
}
NOTHING = "Nothing to be done"
CHECKS_A_CLIP = 8
"""Rows of the measures artefact for a clip: what the default checks measure."""

WALK = "import sys; from pathlib import Path; from kaiku.store import scan; scan.walk(Path(sys.argv[1]))"
LAUNCH = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""  # a small process starts the measured one, which would else count its parent's memory as its own


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system) and peak resident memory of a process and its children."""

    cpu_s: float
    rss_mb: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--recordings", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="also list the dearest functions of a dry run")
    parser.add_argument("--workspace", type=Path, help="make it here, or take the one that is here, and keep it")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = args.workspace or Path(folder) / "workspace"
        if not (root / "config").exists():
            make_workspace(root, args.clips, args.recordings, args.shards)
        report(root, args.repeat)
        if args.profile:
            profile(root)


def report(root: Path, repeat: int) -> None:
    """Print the costs, each beside what it is measured against."""
    bare = root.parent / "bare"
    bare.mkdir(exist_ok=True)
    (bare / "Snakefile").write_text("rule all:\n    output: 'done'\n    shell: 'touch done'\n")
    (bare / "done").touch()
    start = median([*SNAKEMAKE, "--dry-run"], bare, repeat)
    walk = median([sys.executable, "-c", WALK, "data/raw/voices"], root, repeat)
    shown = {
        "bare Snakemake": start,
        "plain walk of raw": walk,
        "dry run": median([*SNAKEMAKE, "--dry-run", *ours(root)], root, repeat, NOTHING),
        "no-op": median([*SNAKEMAKE, *ours(root)], root, repeat, NOTHING),
    }
    for name, cost in shown.items():
        ratio = f"{cost.cpu_s / start.cpu_s:.2f} x a bare start" if name != "bare Snakemake" else ""
        print(f"{name:18} {cost.cpu_s:6.2f} s CPU {cost.rss_mb:6.0f} MB   {ratio}")


def ours(root: Path) -> list[str]:
    """The arguments that make a call of Snakemake one of Kaiku's."""
    return ["--snakefile", str(REPO / "Snakefile"), "--directory", str(root)]


def median(command: list[str], folder: Path, repeat: int, expected: str = "") -> Cost:
    """Median cost of several runs of a command, after one that warms the caches; `expected` must be in what it says."""
    costs = [measure(command, folder, expected) for _ in range(repeat + 1)][1:]
    return Cost(statistics.median(c.cpu_s for c in costs), max(c.rss_mb for c in costs))


def measure(command: list[str], folder: Path, expected: str = "") -> Cost:
    """Cost of one run of a command."""
    with tempfile.TemporaryFile("w+") as said:
        launched = subprocess.run(
            [sys.executable, "-c", LAUNCH, *command],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        said.seek(0)
        text = said.read()
    if launched.returncode or expected not in text:
        raise SystemExit(f"{' '.join(command)}: exit {launched.returncode}\n{text[-4000:]}")
    cpu_s, rss_kb = map(float, launched.stdout.split())
    return Cost(cpu_s, rss_kb / 1024)


def environment() -> dict[str, str]:
    """Variables of a measured process: one thread, this tree, and bytecode kept, as an installation has it."""
    cached = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "kaiku-benchmark-bytecode")}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **cached, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}


def profile(root: Path) -> None:
    """The dearest functions of a dry run, imports left out, by their own time and by that of all they call."""
    code = (
        "import sys, cProfile, pstats\n"
        "from snakemake.cli import main\n"
        "p = cProfile.Profile()\n"
        "try: p.runcall(main, sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "stats = pstats.Stats(p)\n"
        "stats.sort_stats('tottime').print_stats(25)\n"
        "stats.sort_stats('cumulative').print_stats('kaiku|rules|Snakefile', 45)\n"
    )
    command = [sys.executable, "-c", code, *SNAKEMAKE[3:], "--dry-run", *ours(root)]
    subprocess.run(command, cwd=root, env=environment(), check=True)


def make_workspace(root: Path, clips: int, recordings: int, shards: int) -> None:
    """A workspace in which everything is done."""
    each, started = clips // recordings, [*SNAKEMAKE, *ours(root)]
    write_recordings(root / "data/raw/voices", recordings, each)
    config = {**CONFIG, "corpora": {"voices": {**CONFIG["corpora"]["voices"], "shards": shards}}}
    atomic.write_text(root / "config/config.yaml", yaml.safe_dump(config, sort_keys=False))
    shutil.copytree(REPO / "profiles", root / "profiles")
    measure([*started, "--dry-run"], root)
    write_artefacts(root, configuration.load(config), clips // shards, shards)
    measure([*started, "--touch", "--forceall"], root)


def write_recordings(folder: Path, recordings: int, cues: int) -> None:
    """Raw files of a few bytes, a thousand a folder, each with captions of so many cues if any."""
    spans = [
        f"{i // 6:02d}:{i % 6}0.000 --> {i // 6:02d}:{i % 6}8.000\nlause numero {i}, jonka joku sanoo\n"
        for i in range(cues)
    ]
    for number in range(recordings):
        path = folder / f"{number // 1000:03d}" / f"recording-{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
        if cues:
            path.with_suffix(".vtt").write_text("\n".join(["WEBVTT\n", f"NOTE {number}\n", *spans]))


def write_artefacts(root: Path, settings: Settings, clips: int, shards: int) -> None:
    """Outputs of every stage: tables of the right schema and length, the same for each shard, payloads of one byte."""
    tables = {
        "segments": table(SEGMENTS, clips),
        "transcripts/given": table(TRANSCRIPTS, clips),
        "measures": table(MEASURES, clips * CHECKS_A_CLIP),
        "tokens/env": table(TOKENS, clips),
        "selection/voices": table(SELECTION, clips),
    }
    payloads = {"segments": ".tar", "tokens/env": ".npy"}
    for kind, content in tables.items():
        first = root / "data" / kind / "voices" / f"{shard_name(0)}.parquet"
        rows.write(first, content)
        for shard in map(shard_name, range(shards)):
            if shard != shard_name(0):
                shutil.copyfile(first, first.with_name(f"{shard}.parquet"))
            if kind in payloads:
                first.with_name(shard + payloads[kind]).write_bytes(b"-")
    for split in ("train", "val", "test"):
        for shard in map(shard_name, range(shards)):
            atomic.write_bytes(root / f"data/protos/voices/env/{split}/voices-{shard}.protos", b"-")
    for name in CODEC_FILES:
        atomic.write_bytes(root / "models/codecs/env" / name, b"-")
    atomic.write_text(root / "models/codecs/env/key.json", stages.fit_codec(settings, "env").text())
    for name in ("models/base/checkpoints/last", "models/base/merged/model", "results/base/samples/a.wav"):
        atomic.write_bytes(root / name, b"-")
    for name in ("results/base/metrics.json", "results/base/report.html", "results/base/licences.json"):
        atomic.write_bytes(root / name, b"-")
    atomic.write_bytes(root / "dist/base.tar.gz", b"-")


def table(schema: pa.Schema, length: int) -> pa.Table:
    """A table of so many rows, each value different from the last."""
    kinds = {pa.string(): lambda i: f"recording-{i:06d}@{i:08d}", pa.bool_(): lambda i: bool(i % 2)}
    columns = [
        [kinds.get(field.type, float if pa.types.is_floating(field.type) else int)(i) for i in range(length)]
        for field in schema
    ]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


if __name__ == "__main__":
    main()
