"""Whether the `.npy` files beside recordings are tokens that a base's codec would have made, before anything is run."""

from collections.abc import Mapping
from dataclasses import dataclass

from kaiku.adoption import MOST_BYTES, Form, Geometry, GivenTokens, form, refusal
from kaiku.newcomer.survey import SHOWN, Survey, tokens_beside

TOLERANCE_FRAMES = GivenTokens(codec="any").tolerance_frames


@dataclass(frozen=True)
class Found:
    """Files beside recordings. fit: None where no codec is known; refused: first examples, with the reason."""

    files: int
    looked_at: int
    fit: int | None
    refused: Mapping[str, str]
    shape: str


def look(found: Survey, codec: Geometry | None) -> Found | None:
    """What the files beside the recordings looked at hold; None where there are none."""
    beside = tokens_beside(found)
    if not beside:
        return None
    forms = {path: _form(found, other) for path, other in beside.items() if path in found.lengths}
    first = next(iter(forms.values()), None)
    shape = first.error if first and first.error else f"{first.dtype} {list(first.shape)}" if first else ""
    if codec is None:
        return Found(len(beside), len(forms), None, {}, shape)
    reasons = {}
    for path, told in forms.items():
        length = found.lengths[path]
        reasons[path] = "is beside a recording of unknown length" if length is None else ""
        if length is not None:
            reasons[path] = refusal(told, codec, length, TOLERANCE_FRAMES)
    bad = {beside[path]: reason for path, reason in reasons.items() if reason}
    return Found(len(beside), len(forms), len(forms) - len(bad), dict(list(bad.items())[:SHOWN]), shape)


def _form(found: Survey, path: str) -> Form:
    try:
        size = (found.root / path).stat().st_size
        if size > MOST_BYTES:
            return Form(error=f"has {size:,} bytes, more than tokens of any clip")
        return form((found.root / path).read_bytes())
    except OSError as error:
        return Form(error=f"cannot be read ({error.strerror})")
