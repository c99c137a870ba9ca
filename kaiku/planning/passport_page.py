"""A passport as text."""

from collections.abc import Iterator
from typing import Any

from kaiku.planning.page import size_of

Section = dict[str, Any]


def page(passport: Section) -> str:
    """A clip's or a recording's passport, ready to print."""
    lines = [f"{passport['clip'] or passport['recording']} ({passport['corpus']}, shard {passport['shard']})"]
    for title, found in _sections(passport):
        lines += ["", title, *(f"  {line}" for line in found)]
    return "\n".join(lines)


def _sections(passport: Section) -> Iterator[tuple[str, list[str]]]:
    yield "Source", list(_source(passport))
    if "clips" in passport:
        yield "Clips", passport["clips"] or [_outcome(passport["outcome"])]
        return
    if passport["segment"]:
        yield "Cut", list(_cut(passport["segment"]))
    yield "Transcripts", [line for row in passport["transcripts"] for line in _transcript(row)] or ["none yet"]
    yield "Measures", [_measure(row) for row in passport["measures"]] or ["none yet"]
    yield "Datasets", [_decision(row) for row in passport["decisions"]] or ["in none yet"]
    yield "Tokens", [_tokens(row) for row in passport["tokens"]] or ["none yet"]
    yield "Packs", [_pack(row) for row in passport["packs"]] or ["in none"]
    yield "Models", [f"{row['run']}: {row['how']}" for row in passport["models"]] or ["none trained yet"]
    yield "Stale now", list(_stale(passport["staleness"]))
    yield "Would be made again if any of these changed", list(_dependencies(passport["staleness"]))


def _source(passport: Section) -> Iterator[str]:
    source = passport["source"]
    if "path" in source:
        yield f"{source['path']}, {size_of(source['bytes'])}, BLAKE2b {source['digest']}"
    yield source["state"]
    if passport["derived"]:
        yield passport["derived"]
    yield f"speaker {passport['speaker'] or 'not named'}, language {passport['language'] or 'not known'}, " + (
        f"licence {passport['licence']}"
    )


def _outcome(outcome: Section | None) -> str:
    if outcome is None:
        return "not cut yet"
    return f"failed: {outcome['error']}" if outcome["status"] == "failed" else "none: nothing was spoken in it"


def _cut(cut: Section) -> Iterator[str]:
    length_s = cut["end_s"] - cut["start_s"]
    yield f"{cut['start_s']:.3f} s to {cut['end_s']:.3f} s of {cut['recording_s']:.3f} s: {length_s:.3f} s"
    pauses = [f"{cut[f'pause_{side}_s']:.3f} s {side} it" for side in ("before", "after") if cut[f"pause_{side}_s"]]
    if pauses:
        yield f"left out: {', '.join(pauses)}; up to {cut['margin_ms']:g} ms of margin around its speech"
    yield f"{cut['sample_rate']} Hz, recorded with {cut['channels']} channel{'' if cut['channels'] == 1 else 's'}, " + (
        f"peak {cut['peak']:.3f}" + (f", {cut['gain_db']:.2f} dB laid on to fit FLAC" if cut["gain_db"] else "")
    )
    yield "the recording's own file is the clip" if cut["referenced"] else "kept as FLAC in its shard's tar"
    if cut["treatment"]:
        yield f"treatment: {cut['treatment']}"


def _transcript(row: Section) -> Iterator[str]:
    if row["status"] == "failed":
        yield f"{row['asr']}: failed: {row['error']}"
        return
    sure = "" if row["confidence"] is None else f" (confidence {row['confidence']:.2f})"
    yield f"{row['asr']}{sure}: {row['text'] or 'no text'}"
    if row["text_raw"] and row["text_raw"] != row["text"]:
        yield f"{' ' * len(row['asr'])}  as given: {row['text_raw']}"


def _measure(row: Section) -> str:
    if row["status"] == "failed":
        return f"{row['check']}: failed: {row['error']}"
    value = "not measurable" if row["value"] is None else f"{row['value']:.5g}"
    return f"{row['measure']}: {value}" + (f"  ({row['meaning'].rstrip('.')})" if row["meaning"] else "")


def _decision(row: Section) -> str:
    if row["kept"]:
        by_review = {"keep": " by review", "text": ", text by review"}.get(row["review"], "")
        warned = f" (but {'; '.join(row['warnings'])})" if row["warnings"] else ""
        return f"{row['dataset']}: kept{by_review}, {row['split']}: {row['text']}{warned}"
    return f"{row['dataset']}: left out: {row['words']} ({row['reason']})"


def _tokens(row: Section) -> str:
    if row["status"] == "failed":
        return f"{row['codec']}: failed: {row['error']}"
    rows = f"rows {row['first']} to {row['first'] + row['frames']}"
    what = f"{row['codec']}: {rows}: {row['frames']} frames of {row['codebooks']} codes for {row['seconds']:.3f} s"
    return what + (f", adopted from {row['adopted_from']}" if row["adopted_from"] else "")


def _pack(row: Section) -> str:
    if row["position"] is None:
        return f"{row['path']}: not there as it is now; the pack is older, or the selection is"
    return f"{row['path']}, sentence {row['position'] + 1}"


def _stale(lines: list[Section]) -> Iterator[str]:
    for line in lines:
        for why in line["why"]:
            yield f"{line['artefact']}: {why}"
    if not any(line["why"] for line in lines):
        yield "nothing"


def _dependencies(lines: list[Section]) -> Iterator[str]:
    for line in lines:
        yield f"{line['artefact']}: {', '.join(line['depends_on'])}"
