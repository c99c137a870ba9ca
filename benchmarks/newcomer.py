"""What `make new` costs for clips with texts and tokens beside them, and that it copies and touches nothing.

python benchmarks/newcomer.py --clips 2000 --seconds 5
"""

import argparse
import json
import resource
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kaiku.codecs.fish.sizes import TINY, write_sizes
from kaiku.families import fish as fish_model
from workflow_scripts import new_workspace

CODEC = TINY.model_copy(update={"residual_codebooks": 2})  # one that the model below speaks


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each clip")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        data, base, where = (Path(folder) / name for name in ("data", "base", "new"))
        write_clips(data, args.clips, args.seconds)
        fish_model.tiny(base)
        write_sizes(base, CODEC)
        (base / "codec.pth").write_bytes(b"as long as nobody loads it")
        before, begun = listed(data), cpu_s()
        status = new_workspace.main(
            ["--name=aino", f"--data={data}", f"--base={base}", f"--where={where}", "--language=fi", "--licence=own"]
        )
        took = cpu_s() - begun
        if status:
            raise SystemExit(status)
        bytes_made = sum(path.lstat().st_size for path in where.rglob("*") if path.is_file() and not path.is_symlink())
        figures = {
            "clips": args.clips,
            "bytes_of_recordings": sum(size for path, size, *_ in before if path.suffix == ".wav"),
            "cpu_s": round(took, 2),
            "bytes_in_the_workspace": bytes_made,
            "recordings_untouched": listed(data) == before,
        }
        print(json.dumps(figures, indent=1))


def write_clips(folder: Path, clips: int, seconds: float) -> None:
    """Clips of noise that was made once, in the form of fish-speech: WAV, .lab, .npy int64 [codebooks, frames]."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 3000, round(seconds * CODEC.sample_rate)).astype("<i2").tobytes()
    frames = -(-round(seconds * CODEC.sample_rate) // CODEC.hop)
    (folder / "SPK1").mkdir(parents=True)
    for number in range(clips):
        stem = folder / "SPK1" / f"utt_{number:05d}"
        with wave.open(f"{stem}.wav", "wb") as file:
            file.setparams((1, 2, CODEC.sample_rate, 0, "NONE", ""))
            file.writeframes(sound)
        Path(f"{stem}.lab").write_text("hei vaan kaikille\n")
        np.save(f"{stem}.npy", np.stack([rng.integers(0, size, frames) for size in CODEC.codebook_sizes]))


def listed(folder: Path) -> list[tuple[Path, int, int, int]]:
    """Every file with its size, time and inode."""
    stats = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return [(path, stat.st_size, stat.st_mtime_ns, stat.st_ino) for path, stat in stats]


def cpu_s() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
