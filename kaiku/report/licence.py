"""What a licence says about commercial use, as far as its name tells."""

import re
from collections.abc import Iterable

FORBIDS = re.compile(r"\bnc\b|non-?commercial|research[ -]only|\bcpml\b|coqui public model", re.IGNORECASE)
ALLOWS = re.compile(
    r"own|cc0(-[\d.]+)?|public[ -]domain|cc-by(-sa)?(-[\d.]+)?|mit|isc|unlicense|apache-2\.0|bsd-[23]-clause|mpl-2\.0",
    re.IGNORECASE,
)


def allows_commercial_use(licence: str) -> bool | None:
    """True or False where the licence is known (SPDX names, "own", model licences), None where one has to read it."""
    name = licence.strip()
    if FORBIDS.search(name):
        return False
    return True if ALLOWS.fullmatch(name.replace(" ", "-")) else None


def licence_warnings(licences: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences that must be said aloud about (what, licence) pairs; none where all allow commercial use."""
    warnings = []
    for what, licence in licences:
        allowed = allows_commercial_use(licence)
        if allowed is False:
            warnings.append(f"Not for commercial use: {what} is under {licence}.")
        elif allowed is None:
            warnings.append(f"Read the licence of {what} before any commercial use: {licence or 'none is given'}.")
    return warnings
