"""Which clips most likely have a wrong text: the evidence that was measured, each piece graded, and put together.

A piece of evidence is graded 0 where it is as it should be, 1 where hardly a right text looks so, and in between in
proportion. Pieces stand for causes that do not know of each other, so they are put together as if independent:

    suspicion = 1 - (1 - w1 * grade1) * (1 - w2 * grade2) * ...

with one piece of each kind (of the two rates at which transcribers disagree, the larger grade) and a weight w for how
far that kind is to be believed at all. What has no scale of its own, characters a second, alignment and training loss,
is graded by how far it lies from the median of its language, in robust standard deviations (1.4826 times the median
absolute deviation); of fewer than FEW clips nothing is told that way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LIBRARIES = ("numpy", "pandas")

FEW = 20
"""Clips of a language below which nobody can say what is usual for it."""
_SIGMA = 1.4826  # median absolute deviations in a standard deviation of a normal distribution
_LEAST_SPREAD = 0.02  # of the median: where nearly all clips agree exactly, a hair's breadth is no outlier


@dataclass(frozen=True)
class Evidence:
    """One measure and how it is graded: 0 at `fine`, 1 at `wrong`, on its own scale or in robust deviations."""

    kind: str
    measure: str
    fine: float
    wrong: float
    weight: float
    words: str
    sides: str = ""
    """Which side of the median counts: `low`, `high` or `both`; empty: the measure has a scale of its own."""


EVIDENCE = (
    Evidence("agreement", "disagreement_cer", 0.10, 0.50, 0.9, "another transcriber hears other letters ({:.0%})"),
    Evidence("agreement", "disagreement_wer", 0.25, 0.90, 0.9, "another transcriber hears other words ({:.0%})"),
    Evidence("alignment", "alignment_logprob", 3, 8, 0.9, "the text does not fit the sound ({:.2f} per letter)", "low"),
    Evidence("fits", "alignment_fits", 1, 0, 0.9, "nobody could say so much in so short a time"),
    Evidence(
        "worst", "alignment_worst_logprob", 3, 8, 0.7, "a word of it does not fit the sound ({:.2f} per letter)", "low"
    ),
    Evidence("rate", "chars_per_s", 3, 8, 0.7, "{:.1f} characters a second of speech are unusual", "both"),
    Evidence("confidence", "confidence", 0.6, 0.1, 0.6, "confidence is {:.2f}"),
    Evidence("script", "foreign_letters_share", 0.05, 0.5, 0.9, "{:.0%} of its letters are not the language's"),
    Evidence("repetition", "repeated_share", 0.3, 0.8, 0.8, "{:.0%} of it is one phrase over and over"),
    Evidence("loss", "training_loss", 3, 8, 0.6, "a trained model finds it unlikely (loss {:.2f})", "high"),
)


def suspicion(measures: "pd.DataFrame") -> "pd.DataFrame":
    """How suspicious each clip's text is, from whatever of EVIDENCE the frame has columns for.

    measures: one row per clip, measures as columns, NaN where not measured; `language`, if it is there, says whose
    median counts. Returns a frame with the same index: `suspicion` (0..1), `reason` (what weighs most first, empty
    where nothing speaks against the text) and `evidence` (how many kinds of evidence there were to judge by).
    """
    import numpy as np
    import pandas as pd

    clear = np.ones(len(measures))
    seen = np.zeros(len(measures), int)
    told: list[list[tuple[float, str]]] = [[] for _ in range(len(measures))]
    for kind in dict.fromkeys(own.kind for own in EVIDENCE):
        largest = np.full(len(measures), np.nan)
        words = [""] * len(measures)
        for own in (own for own in EVIDENCE if own.kind == kind and own.measure in measures):
            values = measures[own.measure].astype(float).to_numpy()
            grades = own.weight * _grades(own, values, measures)
            for row in np.flatnonzero(~np.isnan(grades) & ~(grades <= largest)):
                largest[row], words[row] = grades[row], own.words.format(values[row])
        known = ~np.isnan(largest)
        clear[known] *= 1 - largest[known]
        seen += known
        for row in np.flatnonzero(known & (largest > 0)):
            told[row].append((largest[row], words[row]))
    reasons = ["; ".join(words for _, words in sorted(found, key=lambda one: -one[0])) for found in told]
    return pd.DataFrame({"suspicion": 1 - clear, "reason": reasons, "evidence": seen}, index=measures.index)


def _grades(own: Evidence, values: "np.ndarray", measures: "pd.DataFrame") -> "np.ndarray":
    """0..1, NaN where there is nothing to judge by."""
    import numpy as np

    if own.sides:
        values = _SIDES[own.sides](deviations(values, _languages(measures)))
    return np.clip((values - own.fine) / (own.wrong - own.fine), 0, 1)


_SIDES: dict[str, Callable] = {"low": lambda z: -z, "high": lambda z: z, "both": abs}


def deviations(values: "np.ndarray", groups: "np.ndarray") -> "np.ndarray":
    """Robust deviations of each value from the median of its group; NaN in groups of fewer than FEW values."""
    import numpy as np

    found = np.full(len(values), np.nan)
    for group in np.unique(groups):
        mine = groups == group
        known = values[mine & ~np.isnan(values)]
        if len(known) >= FEW:
            middle = np.median(known)
            spread = max(_SIGMA * np.median(np.abs(known - middle)), _LEAST_SPREAD * abs(middle), 1e-9)
            found[mine] = (values[mine] - middle) / spread
    return found


def _languages(measures: "pd.DataFrame") -> "np.ndarray":
    """The language of each clip without its region, which makes nobody speak twice as fast."""
    import numpy as np

    if "language" not in measures:
        return np.zeros(len(measures), int)
    return measures["language"].fillna("").astype(str).str.split(r"[-_]", regex=True).str[0].to_numpy(dtype=str)
