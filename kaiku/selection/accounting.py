"""The account of a corpus: where every second of its recordings went."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Account = dict[str, Any]

JITTER_S = 1e-6
"""Times are kept as floats: so much less than nothing between a recording's clips is nothing."""


def account(frame: "pd.DataFrame") -> Account:
    """Seconds and clips of a corpus' decided rows: source + overlap = kept + dropped by reason + what lies in no clip.

    {source, kept, dropped: {reason: ...}, outside, overlap, splits: {split: ...}, warned: {code: ...}}, each
    {seconds, clips}; `source` counts each recording once, `outside` is the time of segmented recordings between their
    clips, `overlap` the time that stands in two clips, both net: within a recording the one is taken off the other.
    `warned` is within `kept`. clipless: recordings that gave no clip, by reason. Shards of one corpus may be joined
    first, corpora may not: recordings may have the same names.
    """
    recording_s = frame.groupby("recording", sort=False)["recording_s"].first()
    between_s = recording_s - frame.groupby("recording", sort=False)["duration_s"].sum()
    kept, dropped = frame[frame["kept"]], frame[~frame["kept"]]
    return {
        "source": {"seconds": math.fsum(recording_s), "clips": int(frame["clip"].notna().sum())},
        "kept": _sum(kept),
        "dropped": {reason: _sum(rows) for reason, rows in dropped.groupby("reason")},
        "clipless": {
            reason: int(n) for reason, n in dropped["clip"].isna().groupby(dropped["reason"]).sum().items() if n
        },
        "outside": {"seconds": math.fsum(between_s[between_s > JITTER_S]), "clips": 0},
        "overlap": {"seconds": -math.fsum(between_s[between_s < -JITTER_S]), "clips": 0},
        "splits": {split: _sum(rows) for split, rows in kept.groupby("split")},
        "warned": _warned(kept),
    }


def added(accounts: Iterable[Account]) -> Account:
    """The account of several corpora together."""
    total: Account = {name: {} for name in ("dropped", "clipless", "splits", "warned")}
    total |= {name: {"seconds": 0.0, "clips": 0} for name in ("source", "kept", "outside", "overlap")}
    for part in accounts:
        total = _added(total, part)
    return total


def account_ms(found: Account) -> Account:
    """The same account in whole milliseconds, {ms, clips} each, whose sums balance to the last one.

    What rounding leaves is given to the parts that lost most by it.
    """
    source = {"ms": _whole_ms(found["source"]), "clips": found["source"]["clips"]}
    overlap = {"ms": _whole_ms(found["overlap"]), "clips": 0}
    parts = {("kept",): found["kept"], ("outside",): found["outside"]}
    parts |= {("dropped", reason): part for reason, part in found["dropped"].items()}
    shared = _shared_out(parts, source["ms"] + overlap["ms"])
    splits = {(split,): part for split, part in found["splits"].items()}
    return {
        "source": source,
        "kept": shared["kept",],
        "dropped": {reason: shared["dropped", reason] for reason in found["dropped"]},
        "clipless": found["clipless"],
        "outside": shared["outside",],
        "overlap": overlap,
        "splits": {split: part for (split,), part in _shared_out(splits, shared["kept",]["ms"]).items()},
        "warned": {code: {"ms": _whole_ms(part), "clips": part["clips"]} for code, part in found["warned"].items()},
    }


def _shared_out(parts: Mapping[tuple, Mapping[str, float]], total_ms: int) -> dict[tuple, dict[str, int]]:
    down = {name: math.floor(part["seconds"] * 1000) for name, part in parts.items()}
    by_loss = sorted(parts, key=lambda name: down[name] - parts[name]["seconds"] * 1000)
    left = total_ms - sum(down.values())
    for name in by_loss[:left] if left > 0 else by_loss[left:] if left else ():
        down[name] += 1 if left > 0 else -1
    return {name: {"ms": down[name], "clips": int(parts[name]["clips"])} for name in parts}


def _whole_ms(part: Mapping[str, float]) -> int:
    return round(part["seconds"] * 1000)


def _sum(rows: "pd.DataFrame") -> dict[str, float | int]:
    return {"seconds": math.fsum(rows["duration_s"]), "clips": int(rows["clip"].notna().sum())}


def _warned(kept: "pd.DataFrame") -> dict[str, dict[str, float | int]]:
    from kaiku.selection.deciding import warnings_in

    codes = warnings_in(kept)
    return {code: _sum(kept.loc[rows.index]) for code, rows in codes.groupby(codes)}


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        both = {name: _added(one[name], other[name]) for name in one.keys() & other.keys()}
        return {name: both.get(name, one.get(name, other.get(name))) for name in sorted(one.keys() | other.keys())}
    return one + other
