"""How fast packs are written and read, beside upstream's recorded figure and beside the disk itself.

python benchmarks/packing.py --clips 5000
python benchmarks/packing.py --corpus data/protos        packs that exist, or clips as upstream lays them out
                                                         (<speaker>/<clip>.npy [codebooks, frames] with a .lab)
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kaiku.errors import KaikuError
from kaiku.store import atomic
from kaiku.store.protos import Group, Sentence, group_by_speaker, read_groups, read_protos, write_protos

# fish-speech's tools/llama/build_dataset.py at d3df505, recorded on another machine (two cores, one worker):
# 5,000 clips of 10 codebooks, 40 to 200 frames. Compare the ratio as an order of magnitude.
UPSTREAM_CLIPS_PER_S = (5000, 8000)
REPEATS = 5


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder with .protos, or with .npy and .lab")
    parser.add_argument("--clips", type=int, default=5000, help="synthetic clips where no corpus is given")
    args = parser.parse_args(argv)
    groups = read_corpus(args.corpus) if args.corpus else synthetic_corpus(args.clips)
    clips = sum(len(group.sentences) for group in groups)
    codes = sum(sentence.codes.size for group in groups for sentence in group.sentences)
    print(f"{clips} clips, {len(groups)} speakers, {codes / clips:.0f} codes per clip")
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder) / "pack.protos"
        write_s = shortest(lambda: write_protos(pack, groups))
        data = pack.read_bytes()
        raw_s = shortest(lambda: atomic.write_bytes(Path(folder) / "raw", data))
        read_s = shortest(lambda: sum(1 for _ in read_protos(pack)))
    low, high = (clips / write_s / rate for rate in UPSTREAM_CLIPS_PER_S[::-1])
    print(f"write  {clips / write_s:10,.0f} clips/s  {len(data) / write_s / 1e6:8.1f} MB/s")
    print(f"       {low:.1f} to {high:.1f} times upstream's recorded 5,000 to 8,000 clips/s")
    print(f"       {raw_s / write_s:.1%} of the physical limit, a plain write of the same {len(data) / 1e6:.1f} MB")
    print(f"read   {clips / read_s:10,.0f} clips/s  {len(data) / read_s / 1e6:8.1f} MB/s")


def shortest(run: Callable[[], object]) -> float:
    """Seconds that the fastest of several runs took."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def read_corpus(folder: Path) -> list[Group]:
    """All packs in a folder; where there is none, all clips as upstream lays them out."""
    groups = [group for path in sorted(folder.rglob("*.protos")) for group in read_groups(path)]
    if groups:
        return groups
    sentences = [
        Sentence(path.parent.name, path.with_suffix(".lab").read_text(), np.load(path).T.astype(np.uint16))
        for path in sorted(folder.rglob("*.npy"))
        if path.with_suffix(".lab").exists()
    ]
    if not sentences:
        raise KaikuError(f"{folder} holds no pack", expected=".protos, or .npy with .lab beside it")
    return group_by_speaker(folder.name, sentences)


def synthetic_corpus(clips: int) -> list[Group]:
    """Clips of the shape of openaudio-s1-mini's: 10 codebooks of 4096 and 1024, 40 to 200 frames, 10 speakers."""
    rng = np.random.default_rng(0)
    sizes = np.array([4096] + 9 * [1024])
    sentences = [
        Sentence(
            f"speaker{i % 10}",
            f"clip {i} says what about a dozen words of text would say in five seconds",
            rng.integers(0, sizes, (frames, len(sizes))).astype(np.uint16),
        )
        for i, frames in enumerate(rng.integers(40, 201, clips))
    ]
    return group_by_speaker("synthetic", sentences)


if __name__ == "__main__":
    main()
