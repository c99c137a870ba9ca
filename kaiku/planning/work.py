"""What each planned job would really do: items to compute against items there, by their keys, before anything runs.

A job whose inputs stand as they will be is looked at exactly as its program would. One behind a job that will change
its inputs is estimated from what that one makes, and marked so. What a job would leave as it is, and what stands in a
carry folder under its key already, counts as an input that is there: so a threshold that moves no clip is seen to
retrain nothing.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kaiku import stages
from kaiku.errors import CorruptFile
from kaiku.planning.clips import Clips
from kaiku.planning.job import Job, Plan
from kaiku.planning.stored import kept_keys, published
from kaiku.settings import Settings
from kaiku.store import rows, tables
from kaiku.store.artefacts import SELECTION
from kaiku.store.items import Artefact, Item
from kaiku.store.whole import Result
from kaiku.train import state

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "segment_recordings": "recordings",
    "augment_segments": "clips",
    "transcribe_segments": "clips",
    "measure_segments": "clips x checks",
    "measure_texts": "texts x checks",
    "describe_clips": "clips x checks",
    "compare_clips": "clips x checks",
    "encode_tokens": "clips",
    "select_segments": "clips",
    "train_model": "steps",
}
BY_CHECK = {"measure_segments": "audio", "measure_texts": "text", "describe_clips": "corpus"}
"""Rules whose items are a clip and a check each, and what these checks need."""

MAKES_WEIGHTS = ("train_codec", "fetch_model")
AT_ONCE = "returns at once (same key)"

Stands = Mapping[str, Path]


@dataclass(frozen=True)
class Work:
    """What a job would do.

    compute: units to compute, None where nobody can know yet; there: units found under their keys; about: estimated.
    tally: counts to tell beside. fresh: ids of the items to compute, of a job that was looked at. changed: items of a
    known name whose key is another one than before; None where that was not looked at. stands: by output, a file or
    folder with the content it will have; None where that is not there yet.
    """

    job: Job
    compute: int | None
    there: int = 0
    about: bool = False
    note: str = ""
    tally: Mapping[str, int] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    changed: int | None = None
    stands: Stands | None = None

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNITS.get(self.job.rule, "")


class Survey:
    """The work of a plan's jobs. programs: by rule; scratch: a folder for decisions made ahead, to be removed after."""

    def __init__(self, settings: Settings, programs: Mapping[str, ModuleType], scratch: Path):
        self.settings, self.programs, self.scratch = settings, programs, scratch
        self.clips = Clips(settings)

    def of(self, plan: Plan) -> list[Work]:
        """The work of each job, in the plan's order."""
        done: dict[int, Work] = {}
        for job in plan.jobs:
            done[id(job)] = self._look(job, [done[id(need)] for need in plan.needs(job)])
        return list(done.values())

    def _look(self, job: Job, needs: Sequence[Work]) -> Work:
        if job.rule == "compare_clips":
            return self._comparisons(job, needs)
        if job.rule not in self.programs:
            return Work(job, 1)
        known = all(need.stands is not None for need in needs)
        stands = {path: stand for need in needs for path, stand in (need.stands or {}).items()}
        if job.rule in stages.ITEM_RULES:
            return self._items(job, stands) if known else self._items_estimated(job, needs)
        if job.rule == "select_segments":
            return self._decisions(job, stands) if known else self._decisions_estimated(job, needs)
        if job.rule == "train_model":
            return self._training(job, stands) if known else self._training_estimated(job)
        return self._whole(job, stands) if known else Work(job, 1, about=True)

    # --- stages of items

    def _items(self, job: Job, stands: Stands) -> Work:
        artefact, items = self._shard(job, stands)
        kept = kept_keys(artefact)
        missing = {item.key: item.id for item in items if item.key not in kept}
        failed = len({item.id for item in items if item.key in missing} & published(artefact.rows_path).failed.keys())
        left_as_it_is = not missing and _is_published(artefact, items)
        return Work(
            job,
            compute=len(missing),
            there=len(items) - len(missing),
            tally={"of them failed before": failed},
            fresh=frozenset(item.id for item in items if item.key in missing),
            changed=_changed(artefact, items),
            stands=_themselves(job) if left_as_it_is else None,
        )

    def _items_estimated(self, job: Job, needs: Sequence[Work]) -> Work:
        corpus, shard = job.names["corpus"], job.names["shard"]
        each = len(self._checks(job)) if job.rule in BY_CHECK else 1
        steady, come, known = self._clips_behind(corpus, shard, needs)
        compute, there, changed = len(steady) * each, 0, None
        if steady and not any(need.job.rule in MAKES_WEIGHTS for need in needs):
            artefact, items = self._shard(job, {})
            kept = kept_keys(artefact)
            by_check = job.rule in BY_CHECK
            stay = [item for item in items if (item.id.rpartition(":")[0] if by_check else item.id) in steady]
            compute = len({item.key for item in stay if item.key not in kept})
            there, changed = len(stay) - compute, _changed(artefact, stay)
        compute = None if come is None else compute + come * each
        return Work(job, compute, there + known * each, about=True, changed=changed)

    def _checks(self, job: Job) -> list[str]:
        if job.rule == "measure_texts":
            return stages.text_checks(self.settings, job.names["asr"])
        return self.settings.checks_that_need(BY_CHECK[job.rule])

    def _clips_behind(self, corpus: str, shard: str, needs: Sequence[Work]) -> tuple[set[str], int | None, int]:
        """Names of a shard's clips that will stay; about how many will come (None: nobody knows); about how many of
        recordings that are cut already will come back, or under another name."""
        cut, manifest = self.clips.of_shard(corpus, shard), self.clips.manifest(corpus, shard)
        if derived := [need for need in needs if need.job.rule == "augment_segments"]:
            fresh = {id for need in derived for id in need.fresh}
            come = [need.compute for need in derived]
            stay = {clip for of_it in cut.values() for clip in of_it} - fresh
            return stay, None if None in come else sum(come), 0
        fresh = {id for need in needs if need.job.rule == "segment_recordings" for id in need.fresh}
        here = manifest.keys() - fresh
        stay = {clip for recording, of_it in cut.items() if recording in here for clip in of_it}
        come = [row for recording, row in manifest.items() if recording in fresh]
        known = [row for recording, row in manifest.items() if recording not in fresh and recording not in cut]
        return stay, self.clips.expected(corpus, come), self.clips.expected(corpus, known) or 0

    def _shard(self, job: Job, stands: Stands) -> tuple[Artefact, list[Item]]:
        artefact, items, _ = self.programs[job.rule].shard(self.settings, self._arguments(job, stands))
        return artefact, items

    def _comparisons(self, job: Job, needs: Sequence[Work]) -> Work:
        """All clips of the shard, whichever of the corpus changed: a comparison keeps none."""
        corpus, shard = job.names["corpus"], job.names["shard"]
        for need in needs:
            if need.job.rule == "describe_clips" and need.job.names["shard"] == shard:
                clips = None if need.compute is None else need.compute + need.there
                return Work(job, clips, about=need.about)
        clips = sum(map(len, self.clips.of_shard(corpus, shard).values()))
        return Work(job, clips * len(self.settings.checks_that_need("corpus")))

    # --- decisions

    def _decisions(self, job: Job, stands: Stands) -> Work:
        """Made ahead, since they cost little: what they come to decides whether anything dear follows."""
        frame = self.programs[job.rule].decisions(self.settings, self._arguments(job, stands))
        path = Path(job.outputs[0])
        ahead = self.scratch / path
        tables.write_selection(ahead, frame)
        before = _selection(path)
        if before is not None and rows.read(path, SELECTION).equals(rows.read(ahead, SELECTION)):
            return Work(job, 0, len(frame), note="decides as before", stands=_themselves(job))
        return Work(job, len(frame), tally=_fates(before, frame), stands={job.outputs[0]: ahead})

    def _decisions_estimated(self, job: Job, needs: Sequence[Work]) -> Work:
        corpus, shard = job.names["corpus"], job.names["shard"]
        steady, come, known = self._clips_behind(corpus, shard, needs)
        return Work(job, None if come is None else len(steady) + come + known, about=True)

    # --- whole files

    def _whole(self, job: Job, stands: Stands) -> Work:
        result = self.programs[job.rule].result(self.settings, self._arguments(job, stands))
        kept = result.kept()
        if kept is None:
            return Work(job, 1)
        return Work(job, 0, 1, note=AT_ONCE, stands=_standing(result, kept))

    def _training(self, job: Job, stands: Stands) -> Work:
        own, args = self.settings.runs[job.names["run"]].train, self._arguments(job, stands)
        result = self.programs[job.rule].result(self.settings, args)
        kept = result.kept()
        if kept is not None:
            return Work(job, 0, own.max_steps, note=AT_ONCE, stands=_standing(result, kept))
        done = resumable_step(args.state, result.key, own.resume)
        return Work(job, max(0, own.max_steps - done), done, note=f"resumed from step {done}" if done else "")

    def _training_estimated(self, job: Job) -> Work:
        steps = self.settings.runs[job.names["run"]].train.max_steps
        return Work(job, steps, about=True, note="none if its inputs come out as they were")

    def _arguments(self, job: Job, stands: Stands) -> argparse.Namespace:
        """What the job's program would be given, inputs that are still to be published taken from where they stand."""
        return self.programs[job.rule].parser().parse_args([str(stands.get(word, word)) for word in job.arguments])


def resumable_step(folder: Path, key: str, resume: str) -> int:
    """The step that a training with this key would go on from, by what stands in its state folder; 0: from nothing."""
    current = folder / "current"
    steps = [int(path.name.removeprefix("step_")) for path in (current / "resume").glob("step_[0-9]*")]
    if not steps or not (current / state.KEY).is_file():
        return 0
    found = json.loads((current / state.KEY).read_text())
    goes_on = found["key"] == key and resume in ("auto", found["begun_by"])
    return max(steps) if goes_on or resume == "adopt" else 0


def _themselves(job: Job) -> dict[str, Path]:
    return {output: Path(output) for output in job.outputs}


def _standing(result: Result, kept: Mapping[str, Path]) -> dict[str, Path]:
    """Where the content of each of a result's files and folders stands, and of each file in a folder."""
    found = {str(result.outputs[name]): path for name, path in kept.items()}
    inside = {f"{output}/{p.name}": p for output, path in found.items() if path.is_dir() for p in path.iterdir()}
    return found | inside


def _changed(artefact: Artefact, items: Sequence[Item]) -> int:
    stood = published(artefact.rows_path)
    return sum(stood.keys.get(item.id, item.key) != item.key and item.id not in stood.failed for item in items)


def _is_published(artefact: Artefact, items: Sequence[Item]) -> bool:
    """Whether the job would write exactly what is published: the same items in their order, and the same labels."""
    paths = [artefact.rows_path] if artefact.data_path is None else [artefact.rows_path, artefact.data_path]
    if not all(path.is_file() and path.stat().st_size for path in paths):
        return False
    stood = published(artefact.rows_path)
    if list(stood.keys.items()) != [(item.id, item.key) for item in items] or stood.failed:
        return False
    by_id = {item.id: item for item in items}
    table = rows.read(artefact.rows_path).to_pylist()
    return all({**row, **by_id[row["item"]].label(row)} == row for row in table)


def _selection(path: Path) -> "pd.DataFrame | None":
    """What was decided before; None where there is nothing, or nothing that can be read."""
    try:
        return tables.selection(path) if path.is_file() and path.stat().st_size else None
    except CorruptFile:
        return None  # of an earlier form: it is about to be made again


def _fates(before: "pd.DataFrame | None", now: "pd.DataFrame") -> dict[str, int]:
    is_kept = set(now.loc[now["kept"], "clip"])
    if before is None:
        return {"kept": len(is_kept)}
    was = set(before.loc[before["kept"], "clip"])
    return {"more kept": len(is_kept - was), "fewer kept": len(was - is_kept)}
