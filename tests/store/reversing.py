"""A stage that computes next to nothing, and what it takes to run it: items of a shard, their key, a place for both."""

import numpy as np
import pyarrow as pa

from kaiku.store import digest, items, rows
from kaiku.store.containers import Npy, Tar
from kaiku.store.items import Artefact, Item, Outcome

SHARD = {"a": b"abc", "b": b"de|f||gh", "c": b"ijkl", "d": b"", "e": b"m|no"}
KINDS = ("tar", "npy", "none")


def reverse(content, times):
    """Each part of `a|b|c` is a row with its bytes backwards as payload; an empty part is a row without payload."""
    if content.startswith(b"!"):
        raise ValueError(f"cannot read {content.decode()}")
    if not content:
        return Outcome([{"part": -1}], status=rows.STATUS_EMPTY)
    parts = content.split(b"|")
    payloads = [part[::-1] * times if part else None for part in parts]
    return Outcome([{"part": number, "length": len(part)} for number, part in enumerate(parts)], payloads)


class Folder:
    """A workspace of one shard. kind: what the payloads stand in, `tar`, `npy` or `none`."""

    def __init__(self, root, kind="tar", before=None):
        container = {"tar": Tar(".bin"), "npy": Npy(2), "none": None}[kind]
        columns = [("clip", pa.string()), ("speaker", pa.string()), ("part", pa.int64()), ("length", pa.int64())]
        columns += [("digest", pa.string()), *container.columns] if container else []
        self.kind, self.root = kind, root
        self.rows_path = root / "out" / "000.parquet"
        self.data_path = root / "out" / f"000{container.suffix}" if container else None
        self.carry = root / "carry"
        self.artefact = Artefact(
            self.rows_path, self.data_path, rows.schema(*columns), container, self.carry, before and before / "out"
        )
        self.computed, self.finished = [], set()

    def items(self, shard, times=1, version="v1", speaker="aino"):
        """Items of {id: content}, in canonical order."""
        return [
            Item(
                id,
                digest.of_bytes(content, f"\n{times} {version}".encode()),
                (content, times),
                lambda row, id=id: (
                    {"clip": f"{id}@{row['part']}" if row.get("part") is not None else None} | {"speaker": speaker}
                ),
            )
            for id, content in sorted(shard.items())
        ]

    def compute(self, missing):
        """The stage; remembers which items it was asked for, and which of them the caller had taken when it went on."""
        for item in missing:
            self.computed.append(item.id)
            outcome = items.attempt(lambda work: self._outcome(*work), item.work)
            yield item, outcome
            if outcome.status != rows.STATUS_FAILED:
                self.finished.add(item.key)

    def _outcome(self, content, times):
        outcome = reverse(content, times)
        if self.kind == "none":
            return Outcome(outcome.rows, [], outcome.status)
        if self.kind == "npy":
            wide = [p and np.repeat(np.frombuffer(p, np.uint8), 2).astype("<u2").tobytes() for p in outcome.payloads]
            return Outcome(outcome.rows, wide, outcome.status)
        return outcome

    def run(self, shard, *, max_failed=1.0, **how):
        """Bring the artefact up to date; `computed` then holds the ids that were asked for."""
        self.computed = []
        return items.run(self.artefact, self.items(shard, **how), self.compute, label="reverse", max_failed=max_failed)

    def bytes(self):
        """What was published."""
        return [path.read_bytes() for path in (self.rows_path, self.data_path) if path]

    def forget_outputs(self):
        """Delete the outputs, as Snakemake does before a job."""
        for path in (self.rows_path, self.data_path):
            if path:
                path.unlink(missing_ok=True)
