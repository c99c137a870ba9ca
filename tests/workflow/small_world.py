"""Workspaces for the workflow's tests, and a small world to put into one: a generated corpus, a codec, a tiny run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from kaiku.store import digest
from kaiku.store.shards import shard_of

REPO = Path(__file__).parents[2]
CODE = ("Snakefile", "code.lock", "envs", "kaiku", "profiles", "rules", "workflow_scripts")
ARTEFACTS = ("manifests", "segments", "transcripts", "measures", "selection", "tokens", "protos")
BYTECODE = tempfile.TemporaryDirectory(prefix="kaiku-bytecode-")
"""Compiled modules, shared by all jobs of a test run: half of a short job is importing, wherever none may be kept."""
IN_ONE_PROCESS = """
import importlib, json, sys
for module, *arguments in json.loads(sys.argv[1]):
    if importlib.import_module(module).main(arguments):
        raise SystemExit(module)
"""
SAMPLE_RATE = 16_000
WORDS = ["aalto", "kaiku", "metsä", "lumi", "järvi", "tuuli", "saari", "kivi", "polku", "ranta", "sade", "valo"]


@dataclass(frozen=True)
class Workspace:
    """A folder that Snakemake works in, with the Snakefile of the repository or of a copy of it."""

    root: Path
    code: Path = REPO

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.root / "config/config.yaml").read_text())

    def configure(self, config: dict) -> None:
        (self.root / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def call(self, *arguments: str) -> dict:
        """A call of Snakemake in this workspace, as arguments of `subprocess.run` and `Popen`."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.code / "Snakefile")]
        command += ["--directory", str(self.root), *arguments, "--cores", "2", "--resources", "gpu=1"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.code)}
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": BYTECODE.name}
        return {"args": command, "env": environment, "cwd": self.root, "stdin": subprocess.DEVNULL}

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(**self.call(*arguments), capture_output=True, text=True)
        if check and done.returncode:
            pytest.fail(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs by rule that a dry run plans, `all` left out; empty where nothing is to be done."""
        return by_rule(self.planned_jobs(*arguments))

    def planned_jobs(self, *arguments: str) -> list[str]:
        """Jobs that a dry run plans, each by its log: `encode_tokens/toy.otso.000`."""
        done = self.snakemake("--dry-run", *arguments)
        said = done.stdout + done.stderr
        if "Nothing to be done" in said:
            return []
        jobs = re.findall(r"^    log: logs/(\S+)\.log\b", said, re.M)
        total = int(re.search(r"^total +(\d+)$", said, re.M)[1])
        assert len(jobs) == total - ("rule all:" in said), said
        return sorted(jobs)

    def counts(self, rule: str) -> dict[str, dict[str, int]]:
        """Item counts that the jobs of a rule wrote, by job."""
        found = sorted((self.root / "logs" / rule).glob("*.counts.json"))
        return {path.name.removesuffix(".counts.json"): json.loads(path.read_text()) for path in found}

    def metrics(self, run: str) -> dict:
        return json.loads((self.root / f"results/{run}/metrics.json").read_text())["figures"]


def by_rule(jobs: Iterable[str]) -> dict[str, int]:
    """How many jobs each rule has among some, in the order of their names."""
    return dict(Counter(job.partition("/")[0] for job in jobs))


@dataclass(frozen=True)
class SmallWorld(Workspace):
    """A workspace with one corpus of short clips, `voice`; the edits that a user makes to it."""

    shards: int = 1

    @property
    def corpus(self) -> Path:
        return self.root / "data/raw/voice"

    @property
    def packs(self) -> list[str]:
        """What to ask for to have everything up to the packs."""
        return [f"data/protos/spoken/env/train/voice-{shard}.protos" for shard in self.shard_names()]

    def shard_names(self) -> list[str]:
        return sorted({self.shard(clip) for clip in self.clips()})

    def shard(self, clip: str) -> str:
        return shard_of(clip, self.shards)

    def clips(self, shard: str | None = None) -> list[str]:
        names = sorted(path.stem for path in self.corpus.glob("*.lab"))
        return [name for name in names if shard in (None, self.shard(name))]

    def free_name(self, shard: str) -> str:
        """A name that no clip had yet, of a shard."""
        taken = {path.stem for path in self.corpus.iterdir()}
        return next(n for n in (f"new-{i:05d}" for i in range(100_000)) if n not in taken and self.shard(n) == shard)

    def audio(self, clip: str) -> Path:
        return next(path for path in self.corpus.glob(f"{clip}.*") if path.suffix != ".lab")

    def add(self, clip: str, seed: int, suffix: str = ".wav") -> None:
        write_clip(self.corpus / f"{clip}{suffix}", seed)
        self.say(clip, sentence(seed))

    def edit(self, clip: str, seed: int) -> None:
        """Other audio under the same name."""
        write_clip(self.audio(clip), seed)

    def edit_unseen(self, clip: str) -> None:
        """Other audio of the same size, with the old modification time put back."""
        path = self.audio(clip)
        before, content = path.stat(), bytearray(path.read_bytes())
        content[-2000:] = bytes(2000)
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size

    def rename(self, clip: str, name: str) -> None:
        audio = self.audio(clip)
        audio.rename(audio.with_stem(name))
        (self.corpus / f"{clip}.lab").rename(self.corpus / f"{name}.lab")

    def remove(self, clip: str) -> None:
        self.audio(clip).unlink()
        (self.corpus / f"{clip}.lab").unlink()

    def say(self, clip: str, text: str) -> None:
        """Give a clip its text."""
        (self.corpus / f"{clip}.lab").write_text(text + "\n")

    def built_anew(self, root: Path) -> "SmallWorld":
        """What this world holds, in another folder, everything up to the packs computed from nothing there.

        By the commands that Snakemake would call, in its order, but in one process: the same bytes for far less time.
        """
        anew = replace(self, root=root)
        for name in ("config", "data/raw", "models/given", "plugins"):
            shutil.copytree(self.root / name, root / name)
        said = anew.snakemake("--dry-run", "--printshellcmds", *anew.packs).stdout
        calls = [
            shlex.split(call) for call in re.findall(r"^Shell command: .* -m (workflow_scripts\..*) 3>&2", said, re.M)
        ]
        call = anew.call()
        call["args"] = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(calls)]
        done = subprocess.run(**call, capture_output=True, text=True)
        assert calls and done.returncode == 0, done.stderr[-4000:]
        return anew

    def artefacts(self) -> dict[str, str]:
        """Every file from manifests to packs: path -> digest of its bytes."""
        folders = (self.root / "data" / name for name in ARTEFACTS)
        files = (path for folder in folders for path in folder.rglob("[!.]*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): digest.of_file(path) for path in files}


def build(root: Path, clips: int, shards: int, code: Path | None = None) -> SmallWorld:
    """A workspace with a corpus of `clips` clips, a codec of random weights, and a training of four steps."""
    world = SmallWorld(root, code or REPO, shards)
    world.corpus.mkdir(parents=True)
    for number in range(clips):
        lossy = number % 5 == 4  # so that tars hold something: lossless clips are referenced
        world.add(f"clip-{number:05d}", number, ".ogg" if lossy else ".wav")
    write_codec(root / "models/given/env", seed=0)
    write_check(root / "plugins/checks/crossings.py")
    (root / "config").mkdir()
    config = deepcopy(CONFIG)
    config["corpora"]["voice"]["shards"] = shards
    config["runs"]["tiny"]["train"]["batch_size"] = clips // 4 + 1  # four steps see every clip
    world.configure(config)
    return world


def copy_code(target: Path) -> Path:
    """The code that a workspace runs, as a copy that a test may edit."""
    target.mkdir()
    for name in CODE:
        (shutil.copytree if (REPO / name).is_dir() else shutil.copy2)(REPO / name, target / name)
    return target


def sentence(seed: int) -> str:
    rng = np.random.default_rng(seed)
    return " ".join(rng.choice(WORDS, size=int(rng.integers(2, 6))))


def write_clip(path: Path, seed: int) -> None:
    """A hum of some harmonics in syllables, 0.4 to 0.8 s long: by a seed."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(int(rng.uniform(0.4, 0.8) * SAMPLE_RATE)) / SAMPLE_RATE
    pitch_hz = rng.uniform(110, 220) * (1 + 0.05 * np.sin(2 * np.pi * 3 * seconds))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    voice = sum(weight * np.sin(k * phase) for k, weight in enumerate(rng.uniform(0, 1, 12), start=1))
    syllables = np.sin(np.pi * rng.uniform(3, 6) * seconds) ** 2
    samples = 0.05 * voice * syllables + rng.normal(0, 0.003, len(seconds))
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    else:
        soundfile.write(path, samples, SAMPLE_RATE)


def write_codec(folder: Path, seed: int) -> None:
    """A codec of random weights in two files, encoder and decoder."""
    from kaiku.codecs.env import Settings, codec

    codec.write_random(Settings(post_width=8, seed=seed), folder)


def write_check(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or CHECK)


CHECK = '''"""How often a clip's samples change their sign."""

import numpy as np
from pydantic import Field

from kaiku.strict import Strict

LIBRARIES = ()
FIELDS = {"crossings_hz": "1/s, changes of sign."}


class Settings(Strict):
    """What counts as a sign."""

    floor: float = Field(0.0, ge=0, description="samples below it count as zero")


def measure(clip, settings):
    samples = np.where(np.abs(clip.samples) < settings.floor, 0, clip.samples)
    return {"crossings_hz": float(np.count_nonzero(np.diff(np.sign(samples))) / clip.duration_s)}
'''

CONFIG = {
    "system": "small",
    "plugins": ["plugins"],
    "threads": 1,
    "device": "cpu",
    "corpora": {"voice": {"layout": "wav_lab", "language": "fi", "speaker": "kai", "licence": "CC0-1.0"}},
    "checks": {"duration": {}, "level": {}, "clipping": {}, "speech": {}, "hum": {}, "crossings": {}},
    "datasets": {"spoken": {"corpora": ["voice"], "select": {"duration_s": [0.2, 5]}, "split": {"val": ["clip-*7"]}}},
    "bases": {"env-tiny": {"path": "models/given/env", "licence": "CC0-1.0"}},
    "codecs": {"env": {"kind": "env", "base": "env-tiny"}},
    "runs": {
        "tiny": {
            "family": "fish",
            "dataset": "spoken",
            "codec": "env",
            "options": {
                "model": {
                    "dim": 32,
                    "n_layer": 1,
                    "intermediate_size": 64,
                    "fast_dim": 32,
                    "fast_intermediate_size": 64,
                }
            },
            "train": {
                "max_steps": 4,
                "warmup_steps": 0,
                "learning_rate": 1e-4,
                "eval_every": 2,
                "save_every": 2,
            },
            "samples": {"sentences": 2, "max_seconds": 1},
        }
    },
}
