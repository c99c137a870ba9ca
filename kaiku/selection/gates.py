"""What a dataset as a whole must be like, and whether it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaiku.errors import KaikuError
from kaiku.selection.settings import GateSettings

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Gate:
    """One demand: what was found (None: nothing to judge), what is wanted, and whether it is met."""

    name: str
    found: float | None
    wanted: float
    unit: str
    meaning: str
    passed: bool


def gates(
    settings: GateSettings, durations_s: "np.ndarray", defects: int, train_hours: Mapping[str, float]
) -> list[Gate]:
    """The gates of a dataset.

    durations_s: of the kept clips. defects: kept clips with a warning that is not about their duration. train_hours: by
    speaker that is trained on, of those the shortest counts. A dataset that keeps nothing passes none.
    """
    kept, bounds = len(durations_s), settings.duration_s
    low, high = (float("-inf") if bounds.min is None else bounds.min, bounds.max)
    within = (durations_s >= low) & (durations_s <= (float("inf") if high is None else high))
    share = float(within.mean()) if kept else None
    faulty = defects / kept if kept else None
    span = f"{'' if bounds.min is None else f'{bounds.min:g}'} to {'' if high is None else f'{high:g}'} s"
    found = [
        Gate(
            "share in range",
            share,
            settings.in_range,
            "at least",
            f"share of kept clips of {span}",
            share is not None and share >= settings.in_range,
        ),
        Gate(
            "share of defects",
            faulty,
            settings.defects,
            "at most",
            "share of kept clips that are warned of, for other things than their duration",
            faulty is not None and faulty <= settings.defects,
        ),
    ]
    if settings.speaker_hours is not None:
        shortest = min(train_hours, key=lambda name: (train_hours[name], name), default=None)
        hours = None if shortest is None else train_hours[shortest]
        found.append(
            Gate(
                "hours per speaker",
                hours,
                settings.speaker_hours,
                "at least",
                f"hours of training of the speaker with least{f', {shortest}' if shortest else ''}",
                hours is not None and hours >= settings.speaker_hours,
            )
        )
    return found


def refuse(dataset: str, found: Sequence[Mapping]) -> None:
    """Raise KaikuError in plain words where a gate, as the dataset's account holds it, is not passed."""
    failed = [gate for gate in found if not gate["passed"]]
    if failed:
        words = "; ".join(_words(gate) for gate in failed)
        raise KaikuError(
            f"dataset {dataset} does not pass its gates: {words}",
            remedy=f"Look at results/datasets/{dataset}/report.html; mend the data or its bounds, or change "
            f"datasets.{dataset}.gates (enforce: false only tells).",
        )


def _words(gate: Mapping) -> str:
    found = "not known" if gate["found"] is None else f"{gate['found']:.3g}"
    return f"{gate['name']} is {found}, wanted {gate['unit']} {gate['wanted']:g}"
