"""A dataset as a whole, from its shards one by one: accounts, measures against bounds, gates, what to change.

Only the values of measures that bounds ask for are held, 4 bytes each: a million clips fit into some dozen megabytes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from kaiku.selection import account, account_ms, added, warnings_in
from kaiku.selection.advice import sentences
from kaiku.selection.gates import SPREAD, gates
from kaiku.selection.settings import DatasetSettings

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("numpy", "pandas")
FORMAT = 1

BINS = 40
TOLD = 500
"""Failed items and problems told one by one; of more, only the number."""
FAR = 3.5
"""Robust z beyond which a value is far out (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993)."""
MAD_TO_SIGMA = 0.6745  # of a normal distribution: its median absolute deviation over its standard deviation


class Survey:
    """Takes a dataset's shards one after another, then tells what it is made of."""

    def __init__(self, settings: DatasetSettings):
        self.settings = settings
        self.asked = asked(settings)
        self._accounts: dict[str, list[dict]] = defaultdict(list)
        self._recordings: dict[str, int] = defaultdict(int)
        self._groups: dict[str, dict[str, np.ndarray]] = {"speakers": {}, "languages": {}}
        self._values: dict[str, dict[tuple[str, str, bool], list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
        self._defects = 0
        self._failures: list[dict[str, str]] = []

    def add(
        self, corpus: str, frame: "pd.DataFrame", facts: Mapping[str, np.ndarray], failures: Sequence[Mapping[str, str]]
    ) -> None:
        """A shard. frame: its selection. facts: values of the measures asked for, row by row, NaN where there is none.

        failures: {item, stage, error} of each item that broke.
        """
        self._accounts[corpus].append(account(frame))
        self._recordings[corpus] += frame["recording"].nunique()
        self._failures += [{"corpus": corpus, **failure} for failure in failures]
        codes = warnings_in(frame)
        self._defects += codes.index[~codes.str.startswith("duration_s_")].nunique()
        self._count("speakers", frame, corpus + "/" + frame["speaker"].fillna(""))
        self._count("languages", frame, frame["language"].fillna(""))
        is_clip = frame["clip"].notna().to_numpy()
        for name, values in {**facts, "duration_s": frame["duration_s"].to_numpy()}.items():
            for language, rows in frame[is_clip].groupby("language", dropna=False, sort=False).indices.items():
                of_language = values[is_clip][rows].astype(np.float32)
                kept = frame["kept"].to_numpy()[is_clip][rows]
                for fate in (True, False):
                    self._values[name][corpus, str(language), fate].append(of_language[kept == fate])

    def result(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        own = self.settings
        corpora = {name: added(parts) for name, parts in self._accounts.items()}
        total = added(corpora.values())
        train_hours = {name: sums[3] / 3600 for name, sums in self._groups["speakers"].items() if sums[3] > 0}
        kept_s = self._of("duration_s", fate=True)
        spreads_st = {corpus: self._of(SPREAD, fate=True, corpus=corpus) for corpus in own.corpora}
        verdict = [asdict(gate) for gate in gates(own.gates, kept_s, self._defects, train_hours, spreads_st)]
        return {
            "format": FORMAT,
            "account": account_ms(total),
            "corpora": {
                name: {**account_ms(part), "recordings": self._recordings[name]} for name, part in corpora.items()
            },
            "speakers": {name: _tally(sums) for name, sums in sorted(self._groups["speakers"].items())},
            "languages": {name: _tally(sums) for name, sums in sorted(self._groups["languages"].items())},
            "measures": {name: self._measure(name) for name in sorted(self._values)},
            "gates": verdict,
            "passed": all(gate["passed"] for gate in verdict),
            "advice": [
                f"{name}: {phrase}" for name, part in corpora.items() for phrase in sentences(own.of(name), part)
            ]
            + self._splits_missing(total)
            + [f"gate {g['name']}: {g['remedy']}" for g in verdict if g["remedy"]],
            "failures": {"count": len(self._failures), "items": self._failures[:TOLD]},
        }

    def _count(self, what: str, frame: "pd.DataFrame", names: "pd.Series") -> None:
        sums = self._groups[what]
        is_clip, kept = frame["clip"].notna(), frame["kept"]
        training = frame["duration_s"].where(kept & (frame["split"] == "train"), 0.0)
        columns = (is_clip, kept, frame["duration_s"].where(kept, 0.0), training, frame["duration_s"].where(is_clip, 0))
        for number, column in enumerate(columns):
            for name, value in column.groupby(names.to_numpy(), sort=False).sum().items():
                sums.setdefault(name, np.zeros(len(columns)))[number] += value

    def _of(self, name: str, fate: bool, corpus: str | None = None) -> np.ndarray:
        parts = [
            part
            for (of, _, kept), some in self._values.get(name, {}).items()
            if kept == fate and corpus in (None, of)
            for part in some
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _measure(self, name: str) -> dict[str, Any]:
        kept, dropped = self._of(name, fate=True), self._of(name, fate=False)
        both = np.concatenate([kept, dropped])
        known = both[np.isfinite(both)]
        found = {"not_measurable": int(len(both) - len(known)), "bounds": _bounds(self.settings, name)}
        if len(known):
            edges = _edges(known)
            counts = {fate: np.histogram(_clipped(part, edges), edges)[0] for fate, part in
                      (("kept", kept), ("dropped", dropped))}  # fmt: skip
            found |= {"edges": edges.tolist(), **{fate: n.tolist() for fate, n in counts.items()}}
        return found | {"by": list(self._spread(name))}

    def _spread(self, name: str) -> list[dict[str, Any]]:
        """Median and spread of a measure by corpus and language, and how many clips are far out of it."""
        groups: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        for (corpus, language, _), parts in self._values[name].items():
            groups[corpus, language] += parts
        found = []
        for (corpus, language), parts in sorted(groups.items()):
            values = np.concatenate(parts).astype(float)
            values = values[np.isfinite(values)]
            if len(values):
                median = float(np.median(values))
                mad = float(np.median(np.abs(values - median)))
                far = int(np.sum(MAD_TO_SIGMA * np.abs(values - median) > FAR * mad)) if mad else None
                figures = {"clips": len(values), "median": median, "mad": mad, "far": far}
                found.append({"corpus": corpus, "language": language, **figures})
        return found

    def _splits_missing(self, total: Mapping[str, Any]) -> list[str]:
        """What was to be held out and is not."""
        own, splits = self.settings.split, total["splits"]
        asked_for = [name for name, part in (("val", own.val), ("test", own.test)) if part]
        return [
            f"split.{name} holds nothing out: raise it, name recordings (`{name}: [id, ...]`), or draw with another "
            "split.salt"
            for name in asked_for
            if total["kept"]["clips"] and name not in splits
        ]


def asked(settings: DatasetSettings) -> set[str]:
    """Measures that a dataset's bounds ask for, of any corpus, and its gates."""
    by_gates = set() if settings.gates.prosodic_spread_st is None else {SPREAD}
    return {field for bounds in settings.bounds().values() for field in bounds} | by_gates


def _tally(sums: np.ndarray) -> dict[str, float]:
    clips, kept, kept_s, train_s, all_s = sums
    seconds = {"kept_seconds": kept_s, "train_seconds": train_s, "clip_seconds": all_s}
    return {"clips": int(clips), "kept": int(kept), **{name: round(float(s), 3) for name, s in seconds.items()}}


def _bounds(settings: DatasetSettings, name: str) -> list[dict[str, Any]]:
    """Each bound of a measure: the setting, the language (empty: any), least and greatest value."""
    found = []
    for where, bounds in settings.bounds().items():
        if own := bounds.get(name):
            ranges = {"": (own.min, own.max), **own.languages}
            found += [
                {"where": f"{where}.{name}", "language": language, "min": low, "max": high}
                for language, (low, high) in ranges.items()
                if (low, high) != (None, None)
            ]
    return found


def _edges(known: np.ndarray) -> np.ndarray:
    """Bins over all but the outermost thousandth at either side, whose values count in the first and last bin."""
    low, high = np.quantile(known.astype(float), [0.001, 0.999])
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _clipped(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.clip(values[np.isfinite(values)].astype(float), edges[0], edges[-1])
