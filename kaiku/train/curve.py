"""The learning curve: one row per step, with a held-out loss where one was measured."""

import json
from pathlib import Path
from typing import Any

from kaiku.store import atomic

Row = dict[str, Any]


class Curve:
    """The rows of a training so far, mirrored line by line into a file that a monitor may follow.

    Row: step, loss (nats per target, the parts added), learning_rate, grad_norm (before clipping); at evaluations also
    val_loss and val_parts (the same by part). Held-out losses up to step `compare_after` were measured otherwise, on
    other sentences or another base: they are kept, and compared with none.
    """

    def __init__(self, path: Path, rows: list[Row], compare_after: int = 0):
        self.path, self.rows, self.compare_after = path, list(rows), compare_after
        self.save(path)

    @property
    def last_step(self) -> int:
        """The newest step, 0 before the first."""
        return self.rows[-1]["step"] if self.rows else 0

    def append(self, row: Row) -> None:
        """Add a step's row."""
        self.rows.append(row)
        with open(self.path, "a") as f:
            f.write(_line(row))

    def measure_last(self, measured: Row) -> None:
        """Give the newest step a held-out loss of now."""
        self.rows[-1] |= measured
        self.compare_after = min(self.compare_after, self.last_step - 1)
        self.save(self.path)

    def save(self, path: Path) -> None:
        """Write all rows, whole."""
        atomic.write_text(path, "".join(map(_line, self.rows)))

    def val_losses(self) -> dict[int, float]:
        """Held-out losses that can be compared, by step."""
        after = self.compare_after
        return {row["step"]: row["val_loss"] for row in self.rows if "val_loss" in row and row["step"] > after}

    def evaluations_since_best(self) -> int:
        """How many evaluations followed the one with the lowest held-out loss."""
        losses = list(self.val_losses().values())
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def read_curve(path: Path) -> list[Row]:
    """The rows of a curve file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def lowest(losses: dict[int, float]) -> int:
    """The step with the lowest loss, the earliest among equals."""
    return min(losses, key=lambda step: (losses[step], step))


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True) + "\n"
