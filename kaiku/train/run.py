"""A training from sentences to published checkpoints: owns its state, resumes it, publishes only what is finished."""

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kaiku.errors import KaikuError
from kaiku.families import Sentence
from kaiku.progress import log
from kaiku.store import atomic, digest
from kaiku.store.owner import Owner, Superseded, owning
from kaiku.strict import key_params
from kaiku.train.curve import Curve
from kaiku.train.fit import Outcome, TrainSpec, fit
from kaiku.train.state import Checkpoint, RunState, step_name
from kaiku.train.stop import Stopped, stop_request

__all__ = ["TrainResult", "TrainSpec", "train"]

VERSIONS = ("accelerate", "peft", "torch", "transformers")


@dataclass(frozen=True)
class TrainResult:
    """What was published: last and best step, the best one's held-out loss, where it was resumed (0: from nothing).

    seconds: of all processes that worked on it.
    """

    last: int
    best: int
    val_loss: float
    resumed_from: int
    seconds: float


def train(spec: TrainSpec) -> TrainResult:
    """Train, or continue, to the end and publish into `spec.out`; the caller clears the state once that is safe.

    Raises Stopped (its `exit_code` is the program's) when a signal asked for it, Superseded when a newer process has
    taken over, KaikuError on empty data, a loss that is not finite, or a base model that did not stay what it was.
    """
    with owning(spec.state) as owner:
        state = RunState(spec.state)
        state.claim(spec.key, spec.key_parts, spec.settings.resume)
        resumed = state.newest()
        curve = state.curve(resumed)
        _announce(spec, resumed)
        with stop_request() as stop:
            outcome = fit(
                spec,
                state,
                curve,
                resumed.folder if resumed else None,
                seconds=resumed.seconds if resumed else 0.0,
                should_stop=lambda: bool(stop) or _superseded(owner),
            )
        owner.check()
        if not outcome.finished:
            raise Stopped(
                f"training was asked to stop after step {outcome.step} of {spec.settings.max_steps}",
                remedy=f"Its state is safe in {spec.state}; started again, it continues there.",
            )
        best = _publish(spec, state, curve, outcome, owner)
    return TrainResult(
        last=outcome.step,
        best=best,
        val_loss=curve.val_losses()[best],
        resumed_from=resumed.step if resumed else 0,
        seconds=outcome.seconds,
    )


def _announce(spec: TrainSpec, resumed: Checkpoint | None) -> None:
    if resumed is None:
        log(f"{spec.state}: starting from nothing, {spec.settings.max_steps} steps")
        return
    if resumed.step > spec.settings.max_steps:
        raise KaikuError(
            f"{spec.state} holds a training of {resumed.step} steps, train.max_steps is {spec.settings.max_steps}",
            remedy="Raise train.max_steps, or set train.resume: restart.",
        )
    log(f"{spec.state}: continuing after step {resumed.step} of {spec.settings.max_steps}")


def _superseded(owner: Owner) -> bool:
    try:
        owner.check()
    except Superseded:
        return True
    return False


def _publish(spec: TrainSpec, state: RunState, curve: Curve, outcome: Outcome, owner: Owner) -> int:
    """Write the checkpoints, `best.json`, `curve.jsonl` and `run.json` as one folder; returns the best step."""
    best = state.best(curve)
    with atomic.folder(spec.out) as out:
        for step, folder in state.published().items():
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                atomic.link(path, out / step_name(step) / path.relative_to(folder))
        curve.save(out / "curve.jsonl")
        choice = {"step": best, "val_loss": curve.val_losses()[best], "last": outcome.step}
        atomic.write_json(out / "best.json", choice)
        atomic.write_json(out / "run.json", _record(spec, outcome))
        owner.check()
    return best


def _record(spec: TrainSpec, outcome: Outcome) -> dict[str, Any]:
    """What this training was: resolved settings, data, model, time and versions."""
    return {
        "key": spec.key,
        "family": spec.family.name,
        "family_settings": key_params(spec.family_settings),
        "base_digest": digest.of_tree(spec.base) if spec.base else None,
        "settings": spec.settings.model_dump(mode="json"),
        "lora": spec.lora and spec.lora.model_dump(mode="json"),
        "seed": spec.settings.seed,
        "steps": outcome.step,
        **({"mix": dict(spec.mix)} if spec.mix else {}),
        "sentences": {"train": len(spec.train), "val": len(spec.val)},
        "speakers": {"train": _count_speakers(spec.train), "val": _count_speakers(spec.val)},
        "frames": {"train": _count_frames(spec.train), "val": _count_frames(spec.val)},
        "parameters": outcome.parameters,
        "seconds": round(outcome.seconds, 1),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
    }


def _count_speakers(sentences: Sequence[Sentence]) -> dict[str, int]:
    """Sentences by speaker: whoever takes a consent back must be able to ask which models heard them."""
    return dict(sorted(Counter(sentence.speaker for sentence in sentences).items()))


def _count_frames(sentences: Sequence[Sentence]) -> int:
    return sum(len(sentence.codes) for sentence in sentences)
