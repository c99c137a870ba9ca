"""What no folder tells: asked at a terminal, required as an argument anywhere else."""

import os
import sys
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.newcomer.configuration import check_language
from kaiku.newcomer.survey import Survey

TRIES = 3


def folder(given: str) -> Path:
    """The folder of the recordings."""
    if not given:  # as a path, this would be the folder one stands in
        raise KaikuError("DATA is not given", expected="the folder of your recordings", remedy="Add DATA=/some/folder.")
    return Path(os.path.expanduser(given))


def licence(given: str) -> str:
    """The licence of the recordings."""
    if given.strip():
        return given.strip()
    return _ask(
        "Under which licence are these recordings (own, CC0-1.0, CC-BY-4.0, CC-BY-NC-4.0, ...)? ",
        KaikuError(
            "LICENCE is not given",
            expected="the licence of the recordings; it travels with every model that heard them",
            remedy="Add LICENCE=own for your own, LICENCE=CC-BY-4.0 or whatever is written where they come from.",
        ),
    )


def language(given: str, found: Survey) -> str:
    """The language of the recordings; empty where their layout tells it of every one."""
    if given:
        return given
    if "und" not in found.languages:
        return ""
    tag = _ask(
        "Which language is spoken (a BCP 47 tag: fi, te, pt-BR)? ",
        KaikuError(
            f"LANGUAGE is not given, and the layout {found.layout} does not tell it",
            expected="a BCP 47 tag; numbers and dates are written out by it",
            remedy="Add LANGUAGE=fi, or whichever it is.",
        ),
    )
    check_language(tag)
    return tag


def _ask(question: str, refusal: KaikuError) -> str:
    for _ in range(TRIES if sys.stdin is not None and sys.stdin.isatty() else 0):
        try:
            if answer := input(question).strip():
                return answer
        except EOFError:
            break
    raise refusal
