"""What a machine is like, against what Kaiku needs of it: findings, each with a remedy where something is amiss."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. problem: a run would fail or go wrong; warning: it may, or be slow."""

    topic: str
    what: str
    status: Status = "ok"
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Status:
    """The worst status among findings."""
    order: list[Status] = ["ok", "warning", "problem"]
    return max((finding.status for finding in findings), key=order.index, default="ok")
