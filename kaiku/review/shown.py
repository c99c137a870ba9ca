"""What the page shows of clips, as JSON values: a line in the list, and everything about one."""

import math
from typing import Any

from kaiku.errors import KaikuError
from kaiku.review.decisions import KEEP, REJECT, TEXT, Decision
from kaiku.review.index import DATA, Index
from kaiku.review.orders import ORDERS, Lists, bounds_of, reason_in_words
from kaiku.review.sound import Sound, peaks
from kaiku.store import tables


def overview(index: Index) -> dict[str, Any]:
    """The dataset: counts, reasons, and what one may order by."""
    frame = index.frame
    kept = frame["kept"].to_numpy()
    reasons = frame.loc[kept == False, "reason"].value_counts()  # noqa: E712 - None is neither
    verdicts = [decision.verdict for decision in index.decided.values()]
    return {
        "system": index.settings.system,
        "dataset": index.dataset,
        "corpora": index.corpora,
        "clips": len(frame),
        "seconds": round(float(frame["duration_s"].sum())),
        "kept": int((kept == True).sum()),  # noqa: E712
        "dropped": int((kept == False).sum()),  # noqa: E712
        "decided": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
        "reasons": {code: int(count) for code, count in reasons.items() if count},
        "orders": ORDERS,
        "measures": ["confidence", *index.measures],
        "lapsed": len(index.lapsed()),
    }


def line(index: Index, lists: Lists, corpus: str, name: str, order: str) -> dict[str, Any]:
    """A clip in the list; one that is gone since the list was made keeps its place."""
    number = index.rows.get((corpus, name))
    if number is None:
        return {"corpus": corpus, "clip": name, **_GONE}
    row = index.frame.iloc[number]
    decision = index.decided.get((corpus, name))
    return {
        "corpus": corpus,
        "clip": name,
        "seconds": round(float(row["duration_s"]), 2),
        "text": decision.text if decision and decision.corrects else _text(row["text"]),
        "language": row["language"],
        "kept": row["kept"],
        "reason": row["reason"],
        "verdict": decision.verdict if decision else "",
        "why": lists.why(number, order) or _figure(row, order),
    }


def clip(index: Index, lists: Lists, sound: Sound, corpus: str, name: str) -> dict[str, Any]:
    """Everything about a clip: texts, measures with their bounds, reason, history, waveform."""
    row = index.row(corpus, name)
    number = index.rows[corpus, name]
    decision = index.decided.get((corpus, name))
    score, why = lists.suspicion(number)
    return {
        **line(index, lists, corpus, name, ""),
        "recording": row["recording"],
        "start_s": row["start_s"],
        "end_s": row["end_s"],
        "speaker": row["speaker"],
        "split": row["split"],
        "own_text": _text(row["text"]),
        "said": _text(row["said"]),
        "words": reason_in_words(index, row),
        "suspicion": {"score": score, "why": why},
        "texts": texts(index, row),
        "measures": measures(index, row),
        "decision": told(decision) if decision else None,
        "next": _next(row, decision),
        "history": [told(one) for one in index.history(corpus, name)],
        **_heard(index, sound, row),
    }


def texts(index: Index, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What each transcriber made of a clip, that of the dataset first."""
    names = sorted(
        (path.name for path in (DATA / "transcripts").glob("*")), key=lambda name: (name != index.own.asr, name)
    )
    found = []
    for name in names:
        path = DATA / "transcripts" / name / row["corpus"] / f"{row['shard']}.parquet"
        if not path.is_file() or not path.stat().st_size:
            continue
        try:
            table = tables.transcripts(path)
        except KaikuError:
            continue
        for own in table[table["clip"] == row["clip"]].to_dict("records"):
            confidence = _number(own["confidence"])
            shown = {"raw": _text(own["text_raw"]), "text": _text(own["text"]), "error": _text(own["error"])}
            found.append({"asr": name, "confidence": confidence, **shown})
    return found


def measures(index: Index, row: dict[str, Any]) -> list[dict[str, Any]]:
    """A clip's measures: those with a bound first; ok is None where there is no bound or no value."""
    bounds = bounds_of(index, row["corpus"])
    found = []
    for name in ("duration_s", "confidence", *index.measures):
        low, high = bounds[name].of_language(row["language"]) if name in bounds else (None, None)
        value = _number(row[name])
        is_bound = low is not None or high is not None
        inside = value is None or ((low is None or value >= low) and (high is None or value <= high))
        found.append(
            {
                "name": name,
                "value": value,
                "min": low,
                "max": high,
                "ok": inside if is_bound and value is not None else None,
                "bound": is_bound,
                "meaning": _MEANINGS.get(name) or index.fields.get(name, ""),
            }
        )
    return sorted(found, key=lambda one: (one["ok"] is not False, not one["bound"]))


def told(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return dict(vars(decision))


def lapsed(index: Index) -> list[dict[str, Any]]:
    """Decisions that no longer apply, each with the reason."""
    return [{"corpus": corpus, **told(one.decision), "why": one.why} for corpus, one in index.lapsed()]


_GONE = {
    "seconds": 0.0,
    "text": "",
    "language": "",
    "kept": None,
    "reason": "",
    "verdict": "",
    "why": "no longer there",
}
_MEANINGS = {
    "duration_s": "s, length of the clip.",
    "confidence": "0..1, of the transcriber in its text; of given texts, how well text and clip match in time.",
}


def _next(row: dict[str, Any], decision: Decision | None) -> str:
    """What the next run will make of it, where that is not what stands there."""
    if row["kept"] is None or decision is None:
        return ""
    if decision.verdict == KEEP and not row["kept"]:
        return "the next run takes it, unless it failed, has no text, lies between two splits or outside of the subset"
    if decision.verdict == REJECT and row["kept"]:
        return "the next run leaves it out"
    if decision.verdict == TEXT and not row["kept"] and row["reason"] != "no_text":
        return "its text is taken, but it is left out as before; keep it too (k) if it is good"
    if decision.corrects and row["kept"] and decision.text not in (_text(row["said"]), _text(row["text"])):
        return "the next run takes the corrected text"
    return ""


def _heard(index: Index, sound: Sound, row: dict[str, Any]) -> dict[str, Any]:
    try:
        audio = sound.of(row["corpus"], row["shard"], row["clip"], index.generation)
    except (KaikuError, OSError) as error:
        return {"peaks": [], "sample_rate": None, "sound": str(error)}
    return {"peaks": peaks(audio.samples), "sample_rate": audio.sample_rate, "sound": ""}


def _figure(row: Any, order: str) -> str:
    measure, _, way = order.rpartition(":")
    value = _number(row.get(measure)) if way else None
    return f"{measure} {value:.4g}" if value is not None else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
