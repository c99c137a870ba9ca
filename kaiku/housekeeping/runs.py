"""The runs of a workspace: what was trained from what, how well, and what of it lies here."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaiku.housekeeping.accounts import files_in
from kaiku.settings import Settings
from kaiku.train.state import CHANGES, KEY


@dataclass(frozen=True)
class State:
    """An unfinished training: the step it can be taken up from, what became of it, when, and its bytes."""

    step: int
    status: str
    time: float
    bytes: int


@dataclass(frozen=True)
class Run:
    """One run; steps, val_loss and best_step are None where it was not trained yet, sizes 0 where nothing stands.

    checkpoints: bytes by step; time: of its last training, seconds since 1970; licences: of all it was made from.
    """

    name: str
    configured: bool
    family: str
    base: str
    dataset: str
    licences: list[str]
    steps: int | None = None
    val_loss: float | None = None
    best_step: int | None = None
    time: float | None = None
    checkpoints: dict[int, int] = field(default_factory=dict)
    merged_bytes: int = 0
    package_bytes: int = 0
    states: list[State] = field(default_factory=list)


def runs(settings: Settings | None, workspace: Path = Path()) -> list[Run]:
    """Every run that is configured or has left anything in a workspace, by name."""
    names = set(settings.runs) if settings else set()
    names |= {
        path.parent.name for kind in ("checkpoints", "merged") for path in (workspace / "models").glob(f"*/{kind}")
    }
    names |= {path.parent.parent.name for path in (workspace / "work/runs").glob(f"*/current/{KEY}")}
    names |= {path.parent.parent.name for path in (workspace / "work/runs").glob("*/set-aside/*")}
    return [_run(name, settings, workspace) for name in sorted(names)]


def _run(name: str, settings: Settings | None, workspace: Path) -> Run:
    models, trained = workspace / "models" / name, workspace / "models" / name / "checkpoints"
    made, best, merged = (
        _read(path) for path in (trained / "run.json", trained / "best.json", models / "merged/metadata.json")
    )
    own = settings.runs.get(name) if settings else None
    told = {"family": own.family, "base": own.base or "", "dataset": own.dataset} if own else {}
    told |= {"family": made["family"]} if made else {}
    told |= {"base": (merged["base"] or {}).get("name", ""), "dataset": merged["dataset"]} if merged else {}
    reported = _read(workspace / "results" / name / "licences.json") or merged.get("licences")  # older models hold them
    names = reported or (settings.licences(name) if own else {})
    return Run(
        name=name,
        configured=own is not None,
        family=told.get("family", ""),
        base=told.get("base", ""),
        dataset=told.get("dataset", ""),
        licences=sorted(set(names.values())),
        steps=best.get("last"),
        val_loss=best.get("val_loss"),
        best_step=best.get("step"),
        time=(trained / "run.json").stat().st_mtime if made else None,
        checkpoints={int(path.name.partition("_")[2]): _size(path) for path in sorted(trained.glob("step_*"))},
        merged_bytes=_size(models / "merged"),
        package_bytes=_size(workspace / f"dist/{name}.tar.gz"),
        states=_states(workspace / "work/runs" / name),
    )


def _states(folder: Path) -> list[State]:
    """Trainings that can be taken up again: the current one, and those set aside."""
    found = [(folder / "current", "unfinished")] if (folder / "current" / KEY).exists() else []
    for path in sorted((folder / "set-aside").glob("*")):
        changed = ", ".join(_read(path / CHANGES).get("changed", {})) or "nothing in its configuration"
        found.append((path, f"set aside ({path.name}); changed since: {changed}"))
    return [State(_last_step(path), status, path.stat().st_mtime, _size(path)) for path, status in found]


def _last_step(state: Path) -> int:
    return max((int(path.name.partition("_")[2]) for path in (state / "resume").glob("step_*")), default=0)


def _size(path: Path) -> int:
    return sum(file.size for file in files_in(path))


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}
