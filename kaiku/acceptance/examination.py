"""Edits that change no number: what was made with the locked code is computed again with the code as it stands.

A stored result tells by its key which version of the code made it, so only results of the locked version are compared.
Of the stages that work item by item a sample is computed again, spread over corpora and shards; the others are repeated
whole, one job counting as one item. A training is repeated only on request. A module is shown to compute the same when
every stage that uses it was compared, nothing differed, and every edited place ran.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from kaiku import stages
from kaiku.acceptance import differences
from kaiku.acceptance.differences import Difference
from kaiku.acceptance.edits import Edits, Watch
from kaiku.acceptance.shard import StoredShard
from kaiku.planning.job import Job
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import code, digest
from kaiku.store.items import Item

T = TypeVar("T")

TRAINING_RULES = ("train_codec", "train_model")
SHOWN = 3
"""Differences told of each stage."""


@dataclass
class Comparison:
    """What one stage came to for one module: items (or jobs) computed again, and those that differ."""

    rule: str
    compared: int = 0
    differing: dict[str, list[Difference]] = field(default_factory=dict)
    untried: str = ""

    def __str__(self) -> str:
        if self.untried:
            return f"{self.rule}: not compared, {self.untried}"
        if not self.differing:
            strength = f"; {_strength(self.compared)}" if self.rule in stages.ITEM_RULES else ""
            return f"{self.rule}: {self.compared} of {self.compared} equal{strength}"
        found = [difference for of_item in self.differing.values() for difference in of_item]
        by = differences.largest(found)
        size = "" if by != by else f", by up to {by:g}"
        shown = "".join(f"\n      {difference}" for difference in found[:SHOWN])
        return f"{self.rule}: {len(self.differing)} of {self.compared} differ{size}{shown}"


@dataclass
class Verdict:
    """What is known of an edited module; objections: what equal results do not answer."""

    module: str
    comparisons: list[Comparison]
    objections: list[str]

    @property
    def accepted(self) -> bool:
        """Whether it was shown to compute what it computed before."""
        compared = all(c.compared and not c.differing and not c.untried for c in self.comparisons)
        return bool(self.comparisons) and compared and not self.objections

    def __str__(self) -> str:
        lines = [*map(str, self.comparisons)] or ["nothing of this workspace's configuration uses it"]
        lines += self.objections
        return "\n    ".join([f"{self.module}: {'equal' if self.accepted else 'NOT SHOWN TO BE EQUAL'}", *lines])


class Examination:
    """Comparisons in one workspace, the current folder.

    jobs: all that its configuration asks for. programs: by rule. sample: items of each stage for each module.
    training: repeat trainings too. scratch: an empty folder on the workspace's disk.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Iterable[Job],
        programs: Mapping[str, ModuleType],
        scratch: Path,
        *,
        sample: int = 24,
        seed: int = 0,
        training: bool = False,
    ):
        self.settings, self.programs, self.scratch = settings, programs, scratch
        self.sample, self.seed, self.training = sample, seed, training
        self.jobs: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            if all(Path(output).exists() for output in job.outputs):
                self.jobs[job.rule].append(job)

    def verdicts(self, modules: Sequence[str], before: Path) -> list[Verdict]:
        """Compare every stage that uses any of some edited modules. before: folder of the sources that are locked."""
        edits = Edits.of(modules, before)
        self.watch = Watch(edits.places)
        users = {module: list(using(self.settings, module)) for module in modules}
        found: dict[str, list[Comparison]] = {module: [] for module in modules}
        for rule in dict.fromkeys(rule for rules in users.values() for rule in rules):
            of_rule = [module for module in modules if rule in users[module]]
            compare = self._items if rule in stages.ITEM_RULES else self._whole
            for module, comparison in zip(of_rule, compare(rule, of_rule), strict=True):
                found[module].append(comparison)
        harmful = {path for m in modules if any(c.differing for c in found[m]) for path in edits.files_of(m)}
        return [Verdict(m, found[m], self._objections(m, edits, found[m], harmful)) for m in modules]

    def _objections(self, module: str, edits: Edits, found: list[Comparison], harmful: set[Path]) -> list[str]:
        """What equal results do not answer."""
        files = edits.files_of(module)
        silent = self.watch.silent(place for path in files for place in edits.places.get(path, ()))
        shared = sorted(path.name for path in files & harmful)
        objections = [f"edited, and never ran: {', '.join(map(str, silent[:SHOWN]))}"] if silent else []
        objections += [f"a data file was edited: {path.name}" for path in sorted(files & edits.data)]
        if shared and not any(c.differing for c in found):
            objections.append(f"the edit of {', '.join(shared)} changes what other modules compute")
        return objections

    # --- stages of items

    def _items(self, rule: str, modules: Sequence[str]) -> list[Comparison]:
        jobs, comparisons = self._drawn(rule), {module: Comparison(rule) for module in modules}
        shards = {id(job): StoredShard.open(self.programs[rule], self.settings, job, self.scratch) for job in jobs}
        labelling = {name for key in stages.of(self.settings)[rule] for name in key.labelling} & set(modules)
        for module in labelling:
            self._labels(comparisons[module], [shards[id(job)] for job in jobs if _made_with_locked_code(job)])
        self._outcomes({m: c for m, c in comparisons.items() if m not in labelling}, list(shards.values()))
        for comparison in comparisons.values():
            if not comparison.compared:
                comparison.untried = "nothing here was made with the locked code"
        return list(comparisons.values())

    def _labels(self, comparison: Comparison, shards: Sequence["StoredShard"]) -> None:
        """Fill the columns that follow from stored rows again; nothing is computed for it."""
        drawn = [[(shard, item) for item in shard.published()] for shard in shards]
        for shard, items in zip(shards, drawn, strict=True):
            self._random(str(shard.artefact.rows_path)).shuffle(items)
        for shard, item in _in_turn(drawn, self.sample):
            with self.watch.watching():
                found = shard.label_differences(item)
            comparison.compared += 1
            if found:
                comparison.differing[f"{shard.artefact.rows_path} {item.id}"] = found

    def _outcomes(self, comparisons: Mapping[str, Comparison], shards: Sequence["StoredShard"]) -> None:
        drawn = {module: self._draw_items(shards, module) for module in comparisons}
        for shard in shards:
            picked = {item.key: item for of_module in drawn.values() for at, item in of_module if at is shard}
            with self.watch.watching():
                results = {item.key: shard.differences(item, made) for item, made in shard.compute_again(picked)}
            for module, of_module in drawn.items():
                for item in (item for at, item in of_module if at is shard):
                    comparisons[module].compared += 1
                    if results[item.key]:
                        comparisons[module].differing[f"{shard.artefact.rows_path} {item.id}"] = results[item.key]

    def _draw_items(self, shards: Sequence["StoredShard"], module: str) -> list[tuple["StoredShard", Item]]:
        """Items whose key the module's edit changes, in turn one of each shard."""
        affected = []
        for shard in shards:
            items = [(shard, item) for item in shard.affected(module)]
            self._random(module, str(shard.artefact.rows_path)).shuffle(items)
            affected.append(items)
        return _in_turn(affected, self.sample)

    # --- whole-file stages

    def _whole(self, rule: str, modules: Sequence[str]) -> list[Comparison]:
        if rule in TRAINING_RULES and not self.training:
            why = "a training has no sample: TRAINING=yes repeats it from the start"
            return [Comparison(rule, untried=why) for _ in modules]
        jobs = [job for job in self._drawn(rule) if _made_with_locked_code(job)]
        results = {job.outputs: self._repeat(job) for job in jobs}
        comparisons = []
        for module in modules:
            concerned = [job for job in jobs if module in _code_of(job)]
            differing = {job.outputs[0]: results[job.outputs] for job in concerned if results[job.outputs]}
            untried = "" if concerned else "nothing here was made with the locked code"
            comparisons.append(Comparison(rule, len(concerned), differing, untried))
        return comparisons

    def _repeat(self, job: Job) -> list[Difference]:
        """Run a job's program with its outputs and working state in the scratch folder."""
        program = self.programs[job.rule]
        args = program.parser().parse_args(job.arguments)
        state = {name: getattr(args, name) for name in ("carry", "state") if hasattr(args, name)}
        made = {name: path for name, path in vars(args).items() if isinstance(path, Path) and _is_made(path, job)}
        for name, path in {**state, **made}.items():
            setattr(args, name, self.scratch / path)
        args.log = None
        log(f"{job.rule} again: {', '.join(map(str, made.values()))}")
        with self.watch.watching():
            program.program(args)
        return [d for path in made.values() for d in differences.of_artefacts(path, self.scratch / path)]

    # --- drawing and watching

    def _drawn(self, rule: str) -> list[Job]:
        """Jobs of a rule in a drawn order, in turn one of each corpus; no more than the items of a sample."""
        by_corpus: dict[str, list[Job]] = defaultdict(list)
        for job in sorted(self.jobs[rule], key=lambda job: job.outputs):
            by_corpus[job.names.get("corpus", "")].append(job)
        for jobs in by_corpus.values():
            self._random(rule, jobs[0].outputs[0]).shuffle(jobs)
        return _in_turn(list(by_corpus.values()), self.sample)

    def _random(self, *names: str) -> random.Random:
        return random.Random(digest.of_value([self.seed, *names]))


def using(settings: Settings, module: str) -> Iterator[str]:
    """Rules whose results depend on a module.

    How audio is read enters trainings too, but is shown by the stages that read it item by item.
    """
    for rule, keys in stages.of(settings).items():
        if rule in TRAINING_RULES and module in stages.READING:
            continue
        if any(module in (*key.modules, *key.labelling) for key in keys):
            yield rule


def _strength(compared: int) -> str:
    """How large a share of changed items so many equal ones rule out with 95 % certainty: 1 - 0.05^(1/n)."""
    return f"a change of {1 - 0.05 ** (1 / compared):.1%} of all would have shown in 19 cases of 20"


def _made_with_locked_code(job: Job) -> bool:
    """Whether all code that a job's record names is that of the lock."""
    locked = code.read_lock()
    found = _code_of(job)
    return bool(found) and all(version == locked.get(module, ("",))[0] for module, version in found.items())


def _code_of(job: Job) -> dict[str, str]:
    """Versions of the modules that made a job's outputs, as the key on record tells."""
    found: dict[str, str] = {}
    for text in job.past.params if job.past else ():
        for line in text.splitlines():
            if line.startswith("{"):
                found |= json.JSONDecoder().raw_decode(line)[0].get("code", {})
    return found


def _is_made(path: Path, job: Job) -> bool:
    """Whether an argument is an output of its job, or the folder of some."""
    return any(output == str(path) or output.startswith(f"{path}/") for output in job.outputs)


def _in_turn(groups: Sequence[Sequence[T]], count: int) -> list[T]:
    """Up to so many things, in turn one of each group."""
    nothing = object()
    turns = chain.from_iterable(zip_longest(*groups, fillvalue=nothing))
    return list(islice((thing for thing in turns if thing is not nothing), count))
