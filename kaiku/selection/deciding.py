"""The fate of each clip of a shard, and the reason where it is left out."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from kaiku.errors import KaikuError, SettingsError
from kaiku.selection.settings import Bounds, DatasetSettings
from kaiku.selection.splits import in_subset, split_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LIBRARIES = ("numpy", "pandas")

COLUMNS = (
    "clip",
    "recording",
    "speaker",
    "language",
    "duration_s",
    "kept",
    "reason",
    "warnings",
    "split",
    "text",
    "recording_s",
)


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
    withdrawn: Collection[str] = (),
    keep: Collection[str] = (),
    reject: Collection[str] = (),
    untrained: Collection[str] = (),
    shards: int = 1,
) -> "pd.DataFrame":
    """One row per row of `segments`, in its order, with COLUMNS: kept or not, the reason, the split, the text.

    settings: of one corpus (`DatasetSettings.of`). recordings_total: recordings in the whole corpus, which one shard
    cannot know; more than FEW_RECORDINGS are all one. withdrawn: speakers who took their consent back. keep,
    reject: clips that somebody listened to, which no bound drops, or which are left out. untrained: derived clips whose
    source the dataset does not train on. shards: of the whole dataset that hold recordings; matters to `subset.hours`
    alone.
    Reasons, of which the first that holds is given: consent_withdrawn, failed:segment, no_clip, failed:transcribe,
    no_text, failed:measure, then by measure in alphabetical order <measure>_not_measurable (only where required),
    <measure>_low, <measure>_high, then split_gap, review_rejected, source_not_train, at last subset. A stage that
    failed counts only where the dataset asks it something. warnings: codes of the same form for what `warn` holds
    against a clip that is kept, with commas between. duration_s of a row without clip is its recording's length. Raises
    KaikuError where a table lacks a row or a measure asked for.
    """
    import numpy as np

    frame = segments[["clip", "recording", "speaker", "language", "recording_s"]].reset_index(drop=True).copy()
    is_clip = (segments["status"] == "ok").to_numpy()
    frame["recording_s"] = frame["recording_s"].astype(float).fillna(0.0)
    length_s = (segments["end_s"].astype(float) - segments["start_s"].astype(float)).to_numpy()
    frame["duration_s"] = np.where(is_clip, length_s, frame["recording_s"])

    said = _rows_of("transcripts", transcripts, frame["clip"], is_clip)
    measured = _rows_of("measures", measures, frame["clip"], is_clip)
    text = said["text_raw" if settings.text == "raw" else "text"].fillna("").str.strip()
    facts = {"duration_s": frame["duration_s"], "confidence": said["confidence"]}
    of_checks = measured.columns.difference(["clip", "status", "error", "item", "key", *facts])
    facts |= {name: measured[name] for name in of_checks}
    for where in ("select", "warn"):
        _check_fields(where, getattr(settings, where), facts.keys())

    reason = np.full(len(frame), "", dtype=object)

    def drop(rows: "np.ndarray | pd.Series", code: str) -> None:
        reason[np.asarray(rows, dtype=bool) & (reason == "")] = code

    drop(frame["speaker"].isin(set(withdrawn)), "consent_withdrawn")
    drop(segments["status"] == "failed", "failed:segment")
    drop(~is_clip, "no_clip")
    if settings.require_text or "confidence" in settings.select:
        drop(said["status"] == "failed", "failed:transcribe")
    if settings.require_text:
        drop(text == "", "no_text")
    if set(settings.select) & set(of_checks):
        drop(measured["status"] == "failed", "failed:measure")
    is_bound = ~frame["clip"].isin(set(keep)).to_numpy()
    for code, rows in _violations(settings.select, facts, frame["language"]):
        drop(rows & is_bound, code)
    split = split_of(segments, is_clip, settings.split, recordings_total)
    drop(split == "gap", "split_gap")
    drop(frame["clip"].isin(set(reject)), "review_rejected")
    drop(frame["clip"].isin(set(untrained)), "source_not_train")
    if settings.subset:
        within = in_subset(segments, frame["duration_s"].to_numpy(), reason == "", split, settings.subset, shards)
        drop(~within, "subset")

    frame["reason"] = reason
    frame["kept"] = reason == ""
    frame["warnings"] = _warnings(settings.warn, facts, frame)
    frame["split"] = np.where(frame["kept"], split, "")
    frame["text"] = text.where(frame["kept"], "")
    return frame[list(COLUMNS)]


def warnings_in(frame: "pd.DataFrame") -> "pd.Series":
    """Codes of all warnings, one row each, with the index of the clip they are about."""
    warned = frame["warnings"][frame["warnings"] != ""]
    return warned.str.split(",").explode()


def _warnings(warn: Mapping[str, Bounds], facts: Mapping[str, "pd.Series"], frame: "pd.DataFrame") -> "np.ndarray":
    import numpy as np

    said = np.full(len(frame), "", dtype=object)
    for code, rows in _violations(warn, facts, frame["language"]):
        rows = rows & frame["kept"].to_numpy()
        said[rows] = [f"{before},{code}" if before else code for before in said[rows]]
    return said


def _violations(
    select: Mapping[str, Bounds], facts: Mapping[str, "pd.Series"], languages: "pd.Series"
) -> Iterable[tuple[str, "np.ndarray"]]:
    """Codes and the rows they hold for, in their order."""
    for field, bounds in sorted(select.items()):
        values = facts[field].astype(float).to_numpy()
        for ending, rows in _outside(values, bounds, languages):
            yield f"{field}_{ending}", rows


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


def _check_fields(where: str, bounds: Mapping[str, Bounds], known: Collection[str]) -> None:
    for field in sorted(set(bounds) - set(known)):
        near = difflib.get_close_matches(field, known, 1)
        raise SettingsError(
            f"{where}.{field}: no such measure",
            expected=f"one of {', '.join(sorted(known))}",
            remedy=f"Did you mean {near[0]}?" if near else "Add the check that measures it.",
        )


def _outside(values: "np.ndarray", bounds: Bounds, languages: "pd.Series") -> list[tuple[str, "np.ndarray"]]:
    """Endings of codes and the rows they hold for, in their order."""
    import numpy as np

    verdicts = [("not_measurable", np.isnan(values))] if bounds.required else []
    languages = languages.fillna("")
    ranges = {language: bounds.of_language(language) for language in languages.unique()} if bounds.languages else {}
    for side, (ending, beyond) in enumerate((("low", np.less), ("high", np.greater))):
        limit = (bounds.min, bounds.max)[side]
        if bounds.languages:
            limit = languages.map({language: own[side] for language, own in ranges.items()}).to_numpy(dtype=float)
        if limit is not None:
            verdicts.append((ending, beyond(values, limit)))
    return verdicts
