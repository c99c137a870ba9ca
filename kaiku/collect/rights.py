"""Whether an item may be taken: by the licence that its site states, or a right that the user names; by default not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaiku.collect.settings import CollectSettings
from kaiku.collect.sources import Wanted
from kaiku.errors import KaikuError
from kaiku.fetch.consent import UNKNOWN, conditions

CLOSED = ("private", "premium_only", "subscriber_only", "needs_auth")
"""What sites call items that are not for everyone (yt-dlp's `availability`)."""


class Refused(KaikuError):
    """An item that is not taken, for a reason that stands in the table."""


@dataclass(frozen=True)
class Ground:
    """What an item is taken by: its licence (perhaps empty), and why that is enough."""

    licence: str
    why: str


def ground(info: Mapping[str, Any], wanted: Wanted, own: CollectSettings, corpus_licence: str) -> Ground:
    """By what an item may be taken; raises Refused where by nothing.

    info: what its site says of it (yt-dlp's fields); corpus_licence: what the configuration says of all items.
    """
    stated = (info.get("license") or "").strip()
    licence = wanted.licence or stated
    if wanted.rights:
        found = Ground(licence, f"rights: {wanted.rights}")
    elif wanted.licence:
        raise Refused("its entry names a licence, but not by which `rights` you have it")
    elif not stated:
        raise Refused(
            "its site states no licence, which means that all rights are reserved; its entry names no `rights`"
        )
    elif stated.casefold() not in {allowed.strip().casefold() for allowed in own.allow_licences}:
        raise Refused(f"its licence is {stated!r}, which is not in allow_licences")
    else:
        found = Ground(stated, "licence in allow_licences")
    more = [asked for asked in conditions(licence) if asked != UNKNOWN and asked not in conditions(corpus_licence)]
    if licence and more:
        raise Refused(
            f"its licence {licence!r} asks for what that of the corpus, {corpus_licence!r}, does not: {'; '.join(more)}"
        )
    _check_open(info, wanted, own)
    return found


def _check_open(info: Mapping[str, Any], wanted: Wanted, own: CollectSettings) -> None:
    if info.get("availability") in CLOSED and not wanted.rights:
        raise Refused(f"it is not for everyone ({info['availability']})")
    if info.get("live_status") in ("is_live", "is_upcoming") or info.get("is_live"):
        raise Refused("it is live, or has not begun")
    duration_s = info.get("duration")
    if own.longest_s and duration_s and duration_s > own.longest_s:
        raise Refused(f"it is {duration_s:.0f} s long, and longest_s is {own.longest_s:g}")
