"""What became of a dataset's clips in sentences, commonest first, each with the setting that decided it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kaiku.errors import KaikuError
from kaiku.selection.settings import Bounds, DatasetSettings

_PLAIN = {
    "consent_withdrawn": "of speakers who took their consent back",
    "failed:segment": "that could not be cut: mend or remove what the report lists",
    "no_clip": "without speech",
    "failed:transcribe": "that could not be transcribed: see the report, and `make retry`",
    "no_text": "without text: give them one, take another asr, or set require_text: false",
    "failed:measure": "on which a check broke: see the report, and `make retry`",
    "split_gap": "left out between two splits of one recording",
    "subset": "outside of subset",
    "source_not_train": "made from clips that are not trained on",
}
_CODE = re.compile(r"(?P<field>.+)_(?P<ending>low|high|not_measurable)")


def sentences(settings: DatasetSettings, account: Mapping[str, Any], corpus: str = "") -> list[str]:
    """One phrase for each reason: `290 of 312 shorter than select.duration_s.min=1`. corpus: whose account it is."""
    clips = account["source"]["clips"]
    dropped = sorted(account["dropped"].items(), key=lambda item: (-item[1]["clips"], item[0]))
    said = [
        f"{count} {_words(code, settings, 'select', corpus)}"
        for code, part in dropped
        for count in _counts(part["clips"], clips, account["clipless"].get(code, 0))
    ]
    warned = sorted(account["warned"].items(), key=lambda item: (-item[1]["clips"], item[0]))
    said += [f"{part['clips']} kept, but {_words(code, settings, 'warn', corpus)}" for code, part in warned]
    return said


def nothing_kept(dataset: str, settings: DatasetSettings, account: Mapping[str, Any], split: str) -> KaikuError:
    """The error to raise where a split, train or val, came to nothing: the commonest reason, and what to change."""
    clips, kept = account["source"]["clips"], account["kept"]["clips"]
    reasons = [phrase.replace(f" of {clips} ", " ", 1) for phrase in sentences(settings, account)]
    why = f"; {reasons[0]}" if reasons and account["dropped"] else ""
    look = f"look at results/datasets/{dataset}/report.html (make survey DATASET={dataset})"
    if not kept:
        return KaikuError(f"dataset {dataset}: 0 of {clips} clips kept{why}", remedy=f"Change that, or {look}")
    held_out, remedy = ("val",), "Raise split.val, name recordings to hold out (val: [id, ...])"
    if split == "train":
        held_out = ("val", "test")
        remedy = "Take a larger subset" if "subset" in account["dropped"] else "Hold out less"
    shares = " and ".join(f"split.{name} is {_share(getattr(settings.split, name))}" for name in held_out)
    return KaikuError(
        f"dataset {dataset}: {kept} of {clips} clips kept, none of them in {split}; {shares}",
        expected="something to train on, and something held out that the best checkpoint is chosen by",
        remedy=f"{remedy}, or {look}",
    )


def _share(part: float | tuple[str, ...]) -> str:
    return f"[{', '.join(part)}]" if isinstance(part, tuple) else f"{part:g}"


def _counts(clips: int, total: int, clipless: int) -> Iterator[str]:
    """Clips of all, and recordings that gave none."""
    if clips:
        yield f"{clips} of {total}"
    if clipless:
        yield f"{clipless} recording{'' if clipless == 1 else 's'}"


def _words(code: str, settings: DatasetSettings, where: str, corpus: str) -> str:
    found = _CODE.fullmatch(code)
    if code in _PLAIN or not found:
        return _PLAIN.get(code, f"left out: {code}")
    field, ending = found["field"], found["ending"]
    path, bounds = _setting(settings, where, field, corpus)
    if ending == "not_measurable":
        return f"of which {field} could not be measured, and {path}.required is set"
    verb = {"low": "shorter than", "high": "longer than"} if field == "duration_s" else {}
    verb = verb.get(ending, f"with {field} {'below' if ending == 'low' else 'above'}")
    side = "min" if ending == "low" else "max"
    if bounds is None:
        return f"{verb} the {side} of {path}"
    if bounds.languages:
        return f"{verb} what {path} has for their language"
    return f"{verb} {path}.{side}={getattr(bounds, side):g}"


def _setting(settings: DatasetSettings, where: str, field: str, corpus: str) -> tuple[str, Bounds | None]:
    """Where a bound stands in the dataset's settings, and the bound; None where corpora have several."""
    own = settings.per_corpus.get(corpus)
    if own and field in getattr(own, where):
        return f"per_corpus.{corpus}.{where}.{field}", getattr(own, where)[field]
    several = not corpus and any(field in getattr(other, where) for other in settings.per_corpus.values())
    return f"{where}.{field}", None if several else getattr(settings, where).get(field)
