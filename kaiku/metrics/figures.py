"""One figure of metrics.json: a value with its unit, or why there is none; never a stand-in."""

import math
from typing import Any

DIGITS = 4  # more would show the machine, not the model


def measured(value: float, unit: str, meaning: str, target: str = "", **details: Any) -> dict[str, Any]:
    """A figure with its unit, what it means, what one hopes for, and details as lists or numbers."""
    if not math.isfinite(value):
        return not_measured("there was nothing to count", meaning, target)
    return {"value": rounded(value), "unit": unit, "meaning": meaning, "target": target} | rounded(details)


def not_measured(why: str, meaning: str, target: str = "") -> dict[str, Any]:
    """A figure that is missing, and why."""
    return {"value": None, "why": f"not measured: {why}", "meaning": meaning, "target": target}


def rounded(value: Any) -> Any:
    """Floats at a fixed number of digits, at any depth; NaN, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {name: rounded(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
