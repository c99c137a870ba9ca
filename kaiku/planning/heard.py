"""Which models heard a clip: trained on it themselves, or through the model they were made from."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kaiku.settings import Settings

PRESENT_KEY = Callable[[str], str | None]
"""The key that a run's training would have by what stands there now; None where that cannot be told."""


def models_that_heard(
    settings: Settings, packs: Iterable[dict[str, Any]], key_now: PRESENT_KEY
) -> list[dict[str, Any]]:
    """What each trained run has to do with a clip, by the packs that hold it (`passport`'s).

    heard: True, False, or None where the run was trained on other packs than those that stand there.
    """
    found = {run: _of_run(settings, run, list(packs), key_now) for run in settings.runs if _record(run)}
    return [{"run": run, **own, **_through(settings, run, found)} for run, own in found.items()]


def _of_run(settings: Settings, run: str, packs: list[dict[str, Any]], key_now: PRESENT_KEY) -> dict[str, Any]:
    own = settings.runs[run]
    mine = [pack for pack in packs if (pack["dataset"], pack["codec"]) == (own.dataset, own.codec)]
    splits = {pack["split"] for pack in mine if pack["position"] is not None}
    if key_now(run) != _record(run)["key"]:
        return {"heard": None, "how": "trained on other packs or settings than those there now: cannot be told"}
    if "train" in splits:
        return {"heard": True, "how": "trained on it"}
    return {"heard": False, "how": f"held out ({', '.join(splits)})" if splits else "not in its packs"}


def _through(settings: Settings, run: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Where the run itself did not hear it: a model before it that did."""
    before = [name for name in settings.lineage(run)[1:] if found.get(name, {}).get("heard")]
    if before and found[run]["heard"] is False:
        return {"heard": True, "how": f"through {before[0]}, which it was made from; itself {found[run]['how']}"}
    return {}


def _record(run: str) -> dict[str, Any] | None:
    path = Path("models", run, "checkpoints", "run.json")
    return json.loads(path.read_text()) if path.is_file() else None
