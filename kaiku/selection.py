"""Which clips a dataset takes, why it leaves the others, and into which split each goes: decisions over stored facts.

`decide` looks at one shard at a time and says of each row the same whatever else the shard holds.
"""

import difflib
import hashlib
import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from kaiku.errors import KaikuError, SettingsError
from kaiku.strict import Strict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LIBRARIES = ("numpy", "pandas")

FEW_RECORDINGS = 5
"""Up to so many in a corpus, `by: recording` holds out the end of each recording instead of drawing whole ones."""

COLUMNS = ("clip", "recording", "speaker", "language", "duration_s", "kept", "reason", "split", "text", "recording_s")


class Bounds(Strict):
    """The range in which a measure must lie, ends included: `[min, max]` (null: open) or `{min:, max:, required:}`."""

    min: float | None = Field(None, description="Least value that is kept.")
    max: float | None = Field(None, description="Greatest value that is kept.")
    required: bool = Field(
        False, description="Drop clips of which the measure could not be taken; by default they stay."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise ValueError(f"{value!r}: a range is [min, max], null where it is open")
            return {"min": value[0], "max": value[1]}
        return value

    @model_validator(mode="after")
    def _means_something(self) -> "Bounds":
        given = [bound for bound in (self.min, self.max) if bound is not None]
        if not given and not self.required:
            raise ValueError("neither min nor max: give at least one, or leave the measure out")
        if any(math.isnan(bound) for bound in given):
            raise ValueError("a bound is not a number")
        if len(given) == 2 and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}: nothing could be kept")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bound = {"type": ["number", "null"]}
        pair = {"type": "array", "items": bound, "minItems": 2, "maxItems": 2}
        return {"anyOf": [handler(core_schema), pair]}


class SplitSettings(Strict):
    """What is held out of training, for choosing the best checkpoint (val) and for the report (test)."""

    by: Literal["recording", "speaker", "clip"] = Field(
        "recording",
        description="What no split divides. `clip` lets clips of one recording meet in training and test.",
    )
    val: float | tuple[str, ...] = Field(0.05, description="Share of the units, or patterns of recording ids.")
    test: float | tuple[str, ...] = Field(0.0, description="Share of the units, or patterns of recording ids.")
    salt: str = Field("", description="Another word draws another split.")

    @model_validator(mode="after")
    def _leaves_training(self) -> "SplitSettings":
        val, test = self.shares()
        if not (min(val, test) >= 0 and val + test < 1):
            raise ValueError(f"val {val} and test {test}: shares lie in 0..1 and leave something to train on")
        return self

    def shares(self) -> tuple[float, float]:
        """val and test as shares of the units; 0 where they are patterns."""
        return tuple(0.0 if isinstance(part, tuple) else part for part in (self.val, self.test))

    def patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """val and test as patterns of recording ids; none where they are shares."""
        return tuple(part if isinstance(part, tuple) else () for part in (self.val, self.test))


class DatasetSettings(Strict):
    """A dataset: clips of some corpora, with the text of one transcriber, within bounds, split."""

    corpora: tuple[str, ...] = Field(min_length=1, description="Names of the corpora it draws from.")
    asr: str = Field("given", description="Name of the transcriber whose text is taken.")
    text: Literal["raw", "normalised"] = Field("normalised", description="Which form of the text is taken.")
    select: dict[str, Bounds] = Field(
        default_factory=dict, description="Bounds by measure; `duration_s` and the transcript's `confidence` too."
    )
    split: SplitSettings = Field(default_factory=SplitSettings, description="What is held out.")
    require_text: bool = Field(True, description="Drop clips without text; false for data of which only sound is used.")


def widened(measures: "pd.DataFrame", fields: Iterable[str]) -> "pd.DataFrame":
    """Measures with one row per clip instead of one per measure: clip, status, and a column for each field.

    A clip of which any check failed has the status "failed"; what was not measured is NaN.
    """
    known = measures[measures["measure"].notna()]
    wide = known.pivot(index="clip", columns="measure", values="value")
    wide = wide.reindex(index=measures["clip"].drop_duplicates(), columns=sorted(fields)).astype(float)
    broken = measures.loc[measures["status"] == "failed", "clip"]
    wide.insert(0, "status", "ok")
    wide.loc[wide.index.isin(broken), "status"] = "failed"
    return wide.rename_axis("clip").reset_index()


def decide(
    segments: "pd.DataFrame",
    transcripts: "pd.DataFrame",
    measures: "pd.DataFrame",
    settings: DatasetSettings,
    *,
    recordings_total: int,
) -> "pd.DataFrame":
    """One row per row of `segments`, in its order, with COLUMNS: kept or not, the reason, the split, the text.

    recordings_total: recordings in the whole corpus, which one shard cannot know; more than FEW_RECORDINGS are all one.
    Reasons, of which the first that holds is given: failed:segment, no_clip, failed:transcribe, no_text,
    failed:measure, then by measure in alphabetical order <measure>_not_measurable (only where required), <measure>_low,
    <measure>_high, at last split_gap. A stage that failed counts only where the dataset asks it something. duration_s
    of a row without clip is its recording's length. Raises KaikuError where a table lacks a row or a measure asked for.
    """
    import numpy as np
    import pandas as pd

    frame = segments[["clip", "recording", "speaker", "language", "recording_s"]].reset_index(drop=True).copy()
    is_clip = (segments["status"] == "ok").to_numpy()
    frame["recording_s"] = frame["recording_s"].astype(float).fillna(0.0)
    length_s = (segments["end_s"].astype(float) - segments["start_s"].astype(float)).to_numpy()
    frame["duration_s"] = np.where(is_clip, length_s, frame["recording_s"])

    said = _rows_of("transcripts", transcripts, frame["clip"], is_clip)
    measured = _rows_of("measures", measures, frame["clip"], is_clip)
    text = said["text_raw" if settings.text == "raw" else "text"].fillna("").str.strip()
    own = {"duration_s": frame["duration_s"], "confidence": said["confidence"]}
    _check_fields(settings.select, {*own, *measured.columns} - {"clip", "status", "error", "item", "key"})

    reason = pd.Series("", index=frame.index, dtype=object)

    def drop(rows: "np.ndarray | pd.Series", code: str) -> None:
        reason[pd.Series(np.asarray(rows), index=frame.index).fillna(False).astype(bool) & (reason == "")] = code

    drop(segments["status"] == "failed", "failed:segment")
    drop(~is_clip, "no_clip")
    if settings.require_text or "confidence" in settings.select:
        drop(said["status"] == "failed", "failed:transcribe")
    if settings.require_text:
        drop(text == "", "no_text")
    if set(settings.select) - set(own):
        drop(measured["status"] == "failed", "failed:measure")
    for field, bounds in sorted(settings.select.items()):
        values = own[field] if field in own else measured[field]
        for code, rows in _outside(values.astype(float).to_numpy(), bounds):
            drop(rows, f"{field}_{code}")
    split = _split(segments, is_clip, settings.split, recordings_total)
    drop(split == "gap", "split_gap")

    frame["reason"] = reason
    frame["kept"] = reason == ""
    frame["split"] = np.where(frame["kept"], split, "")
    frame["text"] = text.where(frame["kept"], "")
    return frame[list(COLUMNS)]


def account(frame: "pd.DataFrame") -> dict[str, Any]:
    """Seconds and clips of a corpus' decided rows: source = kept + dropped by reason + what lies in no clip.

    {source, kept, dropped: {reason: ...}, outside, splits: {split: ...}}, each {seconds, clips}; `source` counts each
    recording once, `outside` is the time of segmented recordings between their clips. Shards may be joined first.
    """
    recordings_s = frame.drop_duplicates("recording")["recording_s"].sum()
    in_rows_s = frame["duration_s"].sum()
    kept, dropped = frame[frame["kept"]], frame[~frame["kept"]]
    return {
        "source": {"seconds": float(recordings_s), "clips": int(frame["clip"].notna().sum())},
        "kept": _sum(kept),
        "dropped": {reason: _sum(rows) for reason, rows in dropped.groupby("reason")},
        "outside": {"seconds": float(recordings_s - in_rows_s), "clips": 0},
        "splits": {split: _sum(rows) for split, rows in kept.groupby("split")},
    }


def _sum(rows: "pd.DataFrame") -> dict[str, float | int]:
    return {"seconds": float(rows["duration_s"].sum()), "clips": int(rows["clip"].notna().sum())}


def _rows_of(name: str, table: "pd.DataFrame", clips: "pd.Series", is_clip: "np.ndarray") -> "pd.DataFrame":
    """The rows of a table in the order of the clips, empty ones where there is no clip."""
    table = table[table["clip"].notna()]
    if table["clip"].duplicated().any():
        twice = table["clip"][table["clip"].duplicated()].iloc[0]
        raise KaikuError(f"{name}: clip {twice} stands there twice", expected="one row per clip")
    missing = clips[is_clip & ~clips.isin(table["clip"]).to_numpy()]
    if len(missing):
        raise KaikuError(
            f"{name}: no row for {len(missing)} of {int(is_clip.sum())} clips, the first of them {missing.iloc[0]}",
            expected="one row per clip",
            remedy="Both tables must come from the same segments; run the workflow again.",
        )
    return table.set_index("clip").reindex(clips.where(is_clip)).reset_index()


def _check_fields(select: dict[str, Bounds], known: set[str]) -> None:
    for field in sorted(set(select) - known):
        near = difflib.get_close_matches(field, known, 1)
        raise SettingsError(
            f"select.{field}: no such measure",
            expected=f"one of {', '.join(sorted(known))}",
            remedy=f"Did you mean {near[0]}?" if near else "Add the check that measures it.",
        )


def _outside(values: "np.ndarray", bounds: Bounds) -> list[tuple[str, "np.ndarray"]]:
    """Reason endings and the rows they hold for, in their order."""
    import numpy as np

    verdicts = [("not_measurable", np.isnan(values))] if bounds.required else []
    if bounds.min is not None:
        verdicts.append(("low", values < bounds.min))
    if bounds.max is not None:
        verdicts.append(("high", values > bounds.max))
    return verdicts


def _split(
    segments: "pd.DataFrame", is_clip: "np.ndarray", settings: SplitSettings, recordings_total: int
) -> "np.ndarray":
    """train, val, test or gap for each row; patterns win over shares."""
    import numpy as np

    recordings = segments["recording"].astype(str)
    if settings.by == "recording" and recordings_total <= FEW_RECORDINGS and sum(settings.shares()) > 0:
        split = _blocks(segments, is_clip, *settings.shares())
    else:
        units = segments[settings.by].fillna("").astype(str)
        drawn = {unit: _draw(settings.salt, unit, *settings.shares()) for unit in units.unique()}
        split = units.map(drawn).to_numpy(dtype=object)
    for name, patterns in zip(("val", "test"), settings.patterns()):
        named = {r for r in recordings.unique() if any(fnmatchcase(r, pattern) for pattern in patterns)}
        split = np.where(recordings.isin(named), name, split)
    return split


def _draw(salt: str, unit: str, val: float, test: float) -> str:
    """The split of a unit by a hash in 0..1 of its name, so that it stays when others come or shares change."""
    digest = hashlib.blake2b(f"{salt}\0{unit}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    # From both ends: a new share of the one moves nothing into or out of the other.
    return "test" if place < test else "val" if place >= 1 - val else "train"


def _blocks(segments: "pd.DataFrame", is_clip: "np.ndarray", val: float, test: float) -> "np.ndarray":
    """train, val, test or gap for each row, each recording divided on its own."""
    import numpy as np

    split = np.full(len(segments), "train", dtype=object)
    clips = segments.reset_index(drop=True)[is_clip].sort_values(["start_s", "end_s", "clip"])
    for _, rows in clips.groupby("recording", sort=False):
        lengths_s = (rows["end_s"] - rows["start_s"]).to_numpy(dtype=float)
        split[rows.index] = _divide(lengths_s, val, test)
    return split


def _divide(lengths_s: "np.ndarray", val: float, test: float) -> "np.ndarray":
    """Contiguous blocks of one recording's clips by their time: train, val, test, with one clip left out between two.

    The clip that reaches over a border is the one left out. What is too short to divide is all train.
    """
    import numpy as np

    names = np.full(len(lengths_s), "train", dtype=object)
    ends_s = np.cumsum(lengths_s)
    beyond = len(names)
    for name, share, held_out in (("test", test, test), ("val", val, val + test)):
        if share == 0:
            continue
        over_border = int(np.searchsorted(ends_s, (1 - held_out) * ends_s[-1], side="right"))
        gap = min(over_border, beyond - 2)
        if gap < 1:
            return np.full(len(names), "train", dtype=object)
        names[gap], names[gap + 1 : beyond] = "gap", name
        beyond = gap
    return names
