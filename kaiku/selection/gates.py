"""What a dataset as a whole must be like, and whether it is."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaiku.errors import KaikuError
from kaiku.selection.settings import GateSettings

if TYPE_CHECKING:
    import numpy as np


SPREAD = "pitch_spread_st"
"""The measure by which a corpus' prosodic spread is judged."""


@dataclass(frozen=True)
class Gate:
    """One demand: what was found (None: nothing to judge), what is wanted, whether it is met, and else what to do."""

    name: str
    found: float | None
    wanted: float
    unit: str
    meaning: str
    passed: bool
    remedy: str = ""


def gates(
    settings: GateSettings,
    durations_s: "np.ndarray",
    defects: int,
    train_hours: Mapping[str, float],
    spreads_st: Mapping[str, "np.ndarray"] | None = None,
) -> list[Gate]:
    """The gates of a dataset.

    durations_s: of the kept clips. defects: kept clips with a warning that is not about their duration. train_hours: by
    speaker that is trained on, of those the shortest counts. spreads_st: by corpus, `pitch_spread_st` of its kept
    clips, NaN where it could not be measured. A dataset that keeps nothing passes none.
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
    if settings.prosodic_spread_st is not None:
        found.append(_prosodic_spread(settings.prosodic_spread_st, spreads_st or {}))
    return found


def _prosodic_spread(wanted: float, spreads_st: Mapping[str, "np.ndarray"]) -> Gate:
    """By the corpus with the least median; one of which nothing could be measured comes first."""
    known = {corpus: [s for s in found.tolist() if not math.isnan(s)] for corpus, found in spreads_st.items()}
    medians = {corpus: statistics.median(known[corpus] or [0.0]) for corpus, found in spreads_st.items() if len(found)}
    least = min(medians, key=lambda corpus: (medians[corpus], corpus), default=None)
    found, of = None, ""
    remedy = f"{SPREAD} is known of none of them: measure the check `pitch`, and look at what it could not measure"
    if least is not None:
        of = f", {least}: {len(known[least])} of {len(spreads_st[least])} clips measured"
        if known[least]:
            found = medians[least]
            remedy = (
                f"record or choose livelier speech for {least}, or take only clips that have it by "
                f"select.{SPREAD}: {{min: {wanted:g}}}"
            )
    passed = found is not None and found >= wanted
    return Gate(
        "prosodic spread",
        found,
        wanted,
        "at least",
        f"semitones, median {SPREAD} of the kept clips of the corpus with least{of}",
        passed,
        "" if passed else remedy,
    )


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
    words = f"{gate['name']} is {found}, wanted {gate['unit']} {gate['wanted']:g}"
    return f"{words} ({gate['meaning']}): {gate['remedy']}" if gate["remedy"] else words
