"""What a shard job costs that adds one item to many, beside reading, checking and writing the same bytes at all.

python benchmarks/carrying.py --items 100000                  tokens: 20 to 50 frames of 8 codebooks a clip
python benchmarks/carrying.py --items 100000 --kind tar       clips: payloads of 1 to 3 kB in a tar
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas  # noqa: F401 - pyarrow imports these two when it first needs them, which would be inside what is measured
import pyarrow.dataset  # noqa: F401
import pyarrow.parquet as pq

from kaiku.store import artefacts, digest, items
from kaiku.store.items import Artefact, Compute, Item, Outcome

CODEBOOKS = 8


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kind", choices=("npy", "tar"), default="npy")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        in_a_child(lambda: carry(root, args.kind, args.items))
        artefact = artefact_in(root, args.kind)
        size = artefact.rows_path.stat().st_size + artefact.data_path.stat().st_size
        added_s, added_mb = in_a_child(lambda: carry(root, args.kind, args.items + 1))
        limit_s, limit_mb = in_a_child(lambda: read_check_write(artefact, root))
    print(f"{args.items} items, {size / 1e6:.0f} MB of rows and payloads")
    print(f"one item added     {added_s:6.2f} s CPU {added_mb:6.0f} MB   {added_s / limit_s:.2f} x the limit")
    print(f"limit: the bytes   {limit_s:6.2f} s CPU {limit_mb:6.0f} MB")


def carry(root: Path, kind: str, count: int) -> None:
    """Run the stage for so many items; those that are not there yet are computed."""
    # New items come first: everything else moves, in the table as in the data.
    shard = [Item(f"clip-{n:07d}", digest.of_bytes(b"%d" % n), n, label(n)) for n in reversed(range(count))]
    done = items.run(artefact_in(root, kind), shard, payloads(kind), label=kind, max_failed=0.0)
    assert done.failed == 0 and done.computed + done.reused == count, done


def label(number: int) -> Callable[[dict], dict]:
    """What names an item's rows."""
    return lambda row: {"clip": f"clip-{number:07d}"}


def payloads(kind: str) -> Compute:
    """Computes items of the size of tokens, or of short clips."""
    least, most, unit = {"npy": (20, 50, CODEBOOKS * 2), "tar": (1000, 3000, 1)}[kind]

    def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
        random = np.random.default_rng(0)
        for item in missing:
            yield item, Outcome([{}], [random.bytes(int(random.integers(least, most + 1)) * unit)])

    return compute


def artefact_in(root: Path, kind: str) -> Artefact:
    """The shard's artefact."""
    rows_path = root / "data" / f"000.{kind}.parquet"
    if kind == "npy":
        return artefacts.tokens(rows_path, root / "data/000.npy", CODEBOOKS, root / "carry")
    return artefacts.segments(rows_path, root / "data/000.tar", root / "carry")


def read_check_write(artefact: Artefact, root: Path) -> None:
    """The least that carrying over can cost: the table read and written, the payloads read, digested and written."""
    table = pq.read_table(artefact.rows_path)
    pq.write_table(table, root / "limit.parquet", compression="zstd", use_dictionary=False)
    digest.of_file(artefact.data_path)
    shutil.copyfile(artefact.data_path, root / "limit.data")
    with open(root / "limit.data", "rb") as file:
        os.fsync(file.fileno())


def in_a_child(run: Callable[[], None]) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a call in a process of its own."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        begun = time.process_time()
        run()
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(writing, f"{time.process_time() - begun} {peak_mb}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as said:
        cpu_s, peak_mb = map(float, said.read().split())
    return cpu_s, peak_mb


if __name__ == "__main__":
    main()
