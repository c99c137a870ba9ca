"""Bounds that `usual` stands for: by language, from what read speech was measured to have.

chars_per_s: letters and figures a second of speech (check `speech_rate`), of whole read clips: English (LJ Speech,
LibriSpeech, LibriVox; 23 clips) median 13.7, all from 11.2 to 18.0; German (one reader; 63) 14.6, 11.0 to 19.5; Spanish
(LibriVox, MLS; 2) 14.6; Telugu (Common Voice, joined consonants once; 20) 5.8, 3.7 to 6.9. The bounds are half and
twice the median, rounded outwards: they find texts that do not belong to their clip, not hasty speakers. What was not
measured is not bounded.
"""

from typing import Any

USUAL: dict[str, dict[str, dict[str, tuple[float, float]]]] = {
    "chars_per_s": {"languages": {"de": (7, 30), "en": (6, 28), "es": (7, 30), "te": (2.5, 12)}},
}


def spelt_out(value: Any, names: tuple[str, ...]) -> Any:
    """Settings as a user wrote them, `usual` replaced by what it stands for in the bounds of these names."""
    if not isinstance(value, dict):
        return value
    return {name: _bounds(own) if name in names and isinstance(own, dict) else own for name, own in value.items()}


def _bounds(bounds: dict[str, Any]) -> dict[str, Any]:
    for field, own in bounds.items():
        if own == "usual" and field not in USUAL:
            raise ValueError(f"{field}: nothing is usual for it, only for {', '.join(USUAL)}: write [min, max]")
    return {field: USUAL[field] if own == "usual" else own for field, own in bounds.items()}
