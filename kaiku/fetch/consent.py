"""The gate before a fetch: terms that ask something of the user are accepted in the configuration, or nothing comes.

A licence that allows all but leaving the author unnamed (own, CC0, CC-BY, MIT...) passes. One that forbids commercial
use, asks for the same licence on what is made, is not known by its name, or has a place's own terms before it, does
not.
"""

import re

from kaiku import secrets
from kaiku.errors import KaikuError
from kaiku.fetch.source import Source
from kaiku.report.licence import allows_commercial_use

UNKNOWN = "its name does not tell what it allows, so it has to be read"
SHARE_ALIKE = re.compile(r"\bsa\b|share-?alike|\b[al]?gpl", re.IGNORECASE)
NO_DERIVATIVES = re.compile(r"\bnd\b|no-?deriv", re.IGNORECASE)


def is_share_alike(licence: str) -> bool:
    """Whether what is made from the work has to stand under the same licence."""
    return bool(SHARE_ALIKE.search(licence))


def conditions(licence: str) -> list[str]:
    """What a licence forbids or asks beyond naming the author, as far as its name tells."""
    found = []
    if allows_commercial_use(licence) is False:
        found.append("no commercial use of it, nor of a model made from it")
    if is_share_alike(licence):
        found.append("what is made from it and passed on has to stand under the same licence")
    if NO_DERIVATIVES.search(licence):
        found.append("nothing made from it may be passed on")
    if allows_commercial_use(licence) is None:
        found.append(UNKNOWN)
    return found


def check_accepted(licence: str, accepted: str | None) -> None:
    """ValueError where another licence was accepted than the one that holds."""
    if accepted is not None and accepted.strip() != licence.strip():
        raise ValueError(f"accept_licence is {accepted!r}, and the licence is {licence!r}; accept exactly that one")


def refusal(where: str, licence: str, accepted: str | None, source: Source | None) -> KaikuError | None:
    """Why this is not fetched now; None where nothing is in the way. where: its path in the configuration."""
    if not licence.strip():
        remedy = "Find out, and write its name; what is yours is `own`."
        return KaikuError(f"{where} has no licence", expected=f"`licence` under {where}", remedy=remedy)
    asked = conditions(licence)
    if source and source.asks:
        asked.append(source.asks.rstrip("."))
    if asked and (accepted or "").strip() != licence.strip():
        return KaikuError(
            f"{where} is under {licence}, whose terms are not accepted: {'; '.join(asked)}",
            expected=f"`accept_licence` under {where}",
            remedy=f'Read the terms. Where you can keep them, write `accept_licence: "{licence}"` there; else take '
            "other data.",
        )
    if source and source.gated and not secrets.get("HF_TOKEN"):
        return KaikuError(
            f"{where}: {source.hub} is gated, and HF_TOKEN is not set",
            expected="a token that may read it",
            remedy=f"Accept its terms at {hub_page(source)}, make a token, and `export HF_TOKEN=hf_...` "
            "or write HF_TOKEN=hf_... into .env.",
        )
    return None


def require(where: str, licence: str, accepted: str | None, source: Source | None) -> None:
    """Raise KaikuError where terms are not accepted, or a token that is needed is missing."""
    error = refusal(where, licence, accepted, source)
    if error:
        raise error


def hub_page(source: Source) -> str:
    """Where a hub repository shows its terms."""
    return f"https://huggingface.co/{'datasets/' if source.repository == 'dataset' else ''}{source.hub}"
