"""Why a dataset leaves a clip, said with the figure and the bound that decided."""

from collections.abc import Mapping

from kaiku.selection import Bounds

_PLAIN = {
    "": "kept",
    "failed:segment": "its recording could not be cut",
    "no_clip": "nothing was spoken in its recording",
    "failed:transcribe": "it could not be transcribed",
    "no_text": "it has no text",
    "failed:measure": "a check broke on it",
    "consent_withdrawn": "its speaker took the consent back",
    "source_not_train": "the clip it was made from is not among those that are trained on",
    "subset": "it is not in the part of the dataset that is taken",
    "review_rejected": "somebody listened and rejected it",
    "split_gap": "it lies between two splits of one recording, so that none hears the other",
}


def in_words(
    reason: str, facts: Mapping[str, float | None], select: Mapping[str, Bounds], language: str | None = None
) -> str:
    """A reason code in words. facts: the clip's measures; select: the dataset's bounds as configured now."""
    if reason in _PLAIN:
        return _PLAIN[reason]
    if reason.endswith("_not_measurable"):
        return f"{reason.removesuffix('_not_measurable')} could not be measured, and is required"
    field, _, side = reason.rpartition("_")
    bounds, value = select.get(field), facts.get(field)
    limit = bounds.of_language(language)[side == "high"] if bounds else None
    if value is None or limit is None or not (value < limit if side == "low" else value > limit):
        return f"{field} was too {side} for the bound it was decided by, which is another one now"
    return f"{field} {value:.4g} is {'below' if side == 'low' else 'above'} {limit:g}"
