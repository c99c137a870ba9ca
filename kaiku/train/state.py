"""The state of an unfinished training, outside any declared output: kept by key, resumed if whole, never thrown away.

{state}/owner, lock            who may write here (`kaiku.store.owner`)
{state}/current/key.json       the key of data, configuration and code, what it was made of, and after an adoption the
                               step up to which held-out losses were measured otherwise
{state}/current/resume/        the two newest checkpoints with optimizer and generators, each with a manifest
{state}/current/weights/       the checkpoints to be published, without them
{state}/current/base/          the base model, where it was drawn and not given
{state}/current/curve.jsonl    the curve so far, for a monitor to follow
{state}/set-aside/             what was `current` under another key, each with `changes.json`
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kaiku.progress import log
from kaiku.store import atomic, digest
from kaiku.store.owner import owning
from kaiku.train.curve import Curve, Row, lowest, read_curve

FORMAT = 1
RESUMABLE = 2  # checkpoints with optimizer state: the newest, and one to fall back to

MANIFEST, CURVE, KEY, CHANGES = "manifest.json", "curve.jsonl", "key.json", "changes.json"

Resume = Literal["auto", "adopt", "restart"]

MEASURING = ("code", "params.family", "params.options", "params.train.precision", "weights.base", "weights.val")
"""Parts of a training's key by which the held-out loss of the same weights would be another one."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint to resume from; seconds: training time up to it."""

    folder: Path
    step: int
    seconds: float

    def rows(self) -> list[Row]:
        """The curve up to this step."""
        return read_curve(self.folder / CURVE)


def step_name(step: int) -> str:
    """Folder name of a checkpoint."""
    return f"step_{step:06d}"


class RunState:
    """The state folder of one run; its owner (`kaiku.store.owner.owning`) is the only one to use it."""

    def __init__(self, state: Path):
        self.folder, self._aside = state / "current", state / "set-aside"
        self._resume, self._weights = self.folder / "resume", self.folder / "weights"

    def claim(self, key: str, parts: dict[str, Any], resume: Resume) -> None:
        """Make the folder ready for a training with this key.

        State of the same key stays, to be continued; any other is set aside, or continued where `resume` says so.
        What was begun by `adopt` or `restart` is continued by the same word, or each interruption would undo it.
        parts: what the key was made of, as JSON; tells later what changed.
        """
        self._sweep()
        found = self._read_key()
        if found and found["key"] == key and resume in ("auto", found["begun_by"]):
            return
        compare_after = 0
        if resume == "adopt":
            compare_after = self._adopt(found, key, parts)
        elif found:
            self._set_aside(found, key, parts)
        self._write_key(key, parts, resume, compare_after)

    # --- checkpoints

    @contextmanager
    def saving(self, step: int, seconds: float, curve: Curve) -> Iterator[Path]:
        """A folder for a checkpoint to resume from; it appears whole, with a manifest of its files."""
        with atomic.folder(self._resume / step_name(step)) as folder:
            yield folder
            curve.save(folder / CURVE)
            files = {p.name: {"size": p.stat().st_size, "digest": digest.of_file(p)} for p in folder.iterdir()}
            manifest = {"format": FORMAT, "step": step, "seconds": seconds, "files": files}
            atomic.write_json(folder / MANIFEST, manifest)
        for old in sorted(self._steps(self._resume))[:-RESUMABLE]:
            shutil.rmtree(self._resume / step_name(old))

    @contextmanager
    def weights(self, step: int) -> Iterator[Path]:
        """A folder for a checkpoint to publish; it appears whole."""
        with atomic.folder(self._weights / step_name(step)) as folder:
            yield folder

    def retain(self, curve: Curve, keep: int) -> None:
        """Drop published-to-be checkpoints but the newest `keep` and the best."""
        kept = set(sorted(self._steps(self._weights))[-keep:]) | {self.best(curve)}
        for step in self._steps(self._weights) - kept:
            shutil.rmtree(self._weights / step_name(step))

    def best(self, curve: Curve) -> int:
        """The step with the lowest held-out loss among the checkpoints that are there."""
        losses, steps = curve.val_losses(), self._steps(self._weights)
        return lowest({step: losses[step] for step in steps if step in losses})

    def published(self) -> dict[int, Path]:
        """The folders of the checkpoints to publish, by step."""
        return {step: self._weights / step_name(step) for step in sorted(self._steps(self._weights))}

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; what came after it is removed, to be trained again."""
        for step in sorted(self._steps(self._resume), reverse=True):
            folder = self._resume / step_name(step)
            fault = _fault(folder)
            if fault is None:
                self._rewind(step)
                return Checkpoint(folder, step, json.loads((folder / MANIFEST).read_text())["seconds"])
            log(f"{folder} is not whole ({fault}): falling back to the checkpoint before it")
            shutil.rmtree(folder)
        self._rewind(0)
        return None

    def curve(self, resumed: Checkpoint | None) -> Curve:
        """The curve up to a checkpoint, or an empty one."""
        if resumed is None:
            return Curve(self.folder / CURVE, [])
        known = json.loads((self.folder / KEY).read_text())
        return Curve(self.folder / CURVE, resumed.rows(), min(known.get("compare_after", 0), resumed.step))

    def _rewind(self, step: int) -> None:
        for later in self._steps(self._weights):
            if later > step:
                shutil.rmtree(self._weights / step_name(later))

    @staticmethod
    def _steps(folder: Path) -> set[int]:
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        return {int(match[1]) for name in names if (match := re.fullmatch(r"step_(\d+)", name))}

    # --- keys

    def _read_key(self) -> dict[str, Any] | None:
        """What the state that is there was made of; None, and the state gone, where nothing was learned yet."""
        if not self._steps(self._resume) and self.folder.exists():
            shutil.rmtree(self.folder)
        return json.loads((self.folder / KEY).read_text()) if self.folder.exists() else None

    def _write_key(self, key: str, parts: dict[str, Any], begun_by: Resume, compare_after: int) -> None:
        content = {"format": FORMAT, "key": key, "parts": parts, "begun_by": begun_by}
        atomic.write_json(self.folder / KEY, {**content, "compare_after": compare_after})

    def _adopt(self, found: dict[str, Any] | None, key: str, parts: dict[str, Any]) -> int:
        """Make the state of another key the current one: what is there, or else what was set aside last.

        Returns the step up to which its held-out losses were measured otherwise than they will be.
        """
        aside = self._states_aside()
        if aside and (not found or found["key"] == key):
            if found:
                self._set_aside(found, key, parts)
            (aside[-1] / CHANGES).unlink(missing_ok=True)
            os.rename(aside[-1], self.folder)
            found = self._read_key()
        if not found:
            return 0
        changed = changes(found["parts"], parts)
        if any(name.startswith(MEASURING) for name in changed):
            compare_after = max(self._steps(self._resume))
            told = f" Held-out losses up to step {compare_after} were measured otherwise: only later ones are compared."
        else:
            compare_after, told = found.get("compare_after", 0), ""
        if found["key"] != key:
            log(f"{self.folder}: continuing the state of key {found['key'][:8]}. {_tell(changed)}{told}")
        return compare_after

    def _states_aside(self) -> list[Path]:
        folders = [p for p in self._aside.iterdir() if p.is_dir()] if self._aside.is_dir() else []
        return sorted(folders, key=_number_aside)

    def _set_aside(self, found: dict[str, Any], key: str, parts: dict[str, Any]) -> None:
        number = 1 + max(map(_number_aside, self._states_aside()), default=0)
        target = self._aside / f"{found['key'][:8]}-{number}"
        self._aside.mkdir(exist_ok=True)
        os.rename(self.folder, target)
        changed = changes(found["parts"], parts)
        atomic.write_json(target / CHANGES, {"from": found["key"], "to": key, "changed": changed})
        step = max(self._steps(target / "resume"))
        log(
            f"{self.folder} held a training of {step} steps with {'the same' if found['key'] == key else 'another'} "
            f"key. {_tell(changed)} It was set aside in {target}, not deleted. To continue from step {step} with what "
            "is configured now, set train.resume: adopt."
        )

    def _sweep(self) -> None:
        """Remove what a killed process was writing."""
        for folder in (self.folder, self._resume, self._weights):
            for path in folder.glob(".*.part") if folder.is_dir() else ():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def clear(folder: Path) -> None:
    """Remove the state of a training that was published; states set aside stay."""
    with owning(folder):
        shutil.rmtree(RunState(folder).folder, ignore_errors=True)


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs between two nested dicts: dotted name -> {"before", "after"}, null where absent."""
    old, new = _flat(before), _flat(after)
    return {
        name: {"before": old.get(name), "after": new.get(name)}
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        flat |= _flat(item, f"{prefix}{name}.") if isinstance(item, dict) else {f"{prefix}{name}": item}
    return flat


def _tell(changed: dict[str, dict[str, Any]]) -> str:
    if not changed:
        return "Nothing in the configuration changed."
    return "Changed: " + "; ".join(f"{n} from {c['before']} to {c['after']}" for n, c in changed.items()) + "."


def _number_aside(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint, None if it is whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return f"no readable {MANIFEST}"
    if manifest["format"] != FORMAT:
        return f"format {manifest['format']} instead of {FORMAT}"
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.exists():
            return f"{name} is missing"
        if path.stat().st_size != expected["size"]:
            return f"{name}: {path.stat().st_size} bytes instead of {expected['size']}"
        if digest.of_file(path) != expected["digest"]:
            return f"{name}: its bytes have changed"
    return None
