"""What one edit costs, in jobs and in computed items: every row of the table in docs/staleness.md, exactly.

Rows share one world and follow one another in it. Here, with few clips, rows that do not meet share a run, and a run
goes as far as its row needs. With KAIKU_TABLE_CLIPS=1000 each row has a run of its own, of everything, after which
nothing may be left to do and every artefact must equal that of a clean build. KAIKU_TABLE_OUT: a file for the table.
"""

import ast
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import small_world
from small_world import SmallWorld

from kaiku import stages
from kaiku.store import code, tables

IN_FULL = "KAIKU_TABLE_CLIPS" in os.environ
CLIPS = int(os.environ.get("KAIKU_TABLE_CLIPS", 60))
SHARDS = 4 if IN_FULL else 3
CHECKS = len(small_world.CONFIG["checks"])

ITEMS = ("segment_recordings", "transcribe_segments", "measure_segments", "encode_tokens")
PACKING = ("select_segments", "pack_protos")
SHARD = (*ITEMS, *PACKING)
RESULTS = ("synthesize_samples", "evaluate_model", "write_report", "package_model")
RUN = ("train_model", "merge_model", *RESULTS)
KEYED_FILES = ("pack_protos", "train_model", "merge_model", "synthesize_samples", "evaluate_model")
"""Whole files that are made again only under another key; other rules take no longer than looking would."""

PACKS = ("the packs",)
EACH = -1  # every clip
ONE_CLIP = dict.fromkeys(ITEMS, 1) | {"measure_segments": CHECKS}


@dataclass(frozen=True)
class Row:
    """An edit and what it costs.

    edit: makes it, and returns the shards that it touches. rules: each is planned once for each of these shards, those
    of the run once. items: computed by rule, in all. files: rules that plan and really make their files again.
    """

    name: str
    edit: Callable[[SmallWorld], Iterable[str]]
    rules: tuple[str, ...] = ()
    items: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()


# --- edits


def nothing(world):
    return ()


def touch_recordings(world):
    for path in world.corpus.iterdir():
        os.utime(path)
    return ()


def another_machine(world):
    config = world.config
    config |= {"threads": 2, "device": "auto"}
    config["runs"]["tiny"]["train"] |= {"workers": 1, "device": "cpu"}
    world.configure(config)
    return ()


def remark_everywhere(world):
    """Another docstring and a comment in every module, the plug-in too."""
    for path in (*modules(world).values(), world.root / "plugins/checks/crossings.py"):
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)), path
        path.write_text(text.replace('"""', '"""Said anew. ', 1) + "\n# A remark.\n")
    return ()


def edit_plumbing(world):
    """A statement more in every module that computes nothing."""
    computing = {member for module in stages.computing_modules() for member in code.closure(module)}
    plumbing = {name: path for name, path in modules(world).items() if name not in computing}
    assert {"kaiku.store.items", "kaiku.settings", "workflow_scripts.encode_tokens"} <= plumbing.keys()
    for path in plumbing.values():
        path.write_text(path.read_text() + "\nANOTHER_STATEMENT = 1\n")
    return ()


def widen_bounds(world):
    return bound_duration(world, [0.1, 6])


def raise_threshold(world):
    """Just above the shortest clip of each shard."""
    rows = [tables.segments(world.root / f"data/segments/voice/{shard}.parquet") for shard in world.shard_names()]
    return bound_duration(world, [float(max((frame["end_s"] - frame["start_s"]).min() for frame in rows)) + 0.001, 6])


def bound_duration(world, bounds):
    config = world.config
    config["datasets"]["spoken"]["select"]["duration_s"] = bounds
    world.configure(config)
    return world.shard_names()


def another_decoder(world):
    return replace_weights(world, "decoder")


def another_encoder(world):
    replace_weights(world, "encoder")
    return world.shard_names()


def replace_weights(world, half):
    small_world.write_codec(world.root / "other", seed=1)
    (world.root / f"other/{half}.safetensors").replace(world.root / f"models/given/env/{half}.safetensors")
    return ()


def choose_checkpoint(world):
    config = world.config
    config["runs"]["tiny"]["merge"] = {"checkpoint": 2}
    world.configure(config)
    return ()


def correct_licence(world):
    config = world.config
    config["corpora"]["voice"]["licence"] = "CC-BY-NC-4.0"
    world.configure(config)
    return ()


def add_clip(world):
    world.add(world.free_name("000"), seed=100_001)
    return ["000"]


def rename_within_shard(world):
    clip = next(clip for clip in world.clips("000") if not clip.endswith("7"))  # those are held out
    world.rename(clip, next(n for n in (f"{clip}-{i}-b" for i in range(1000)) if world.shard(n) == "000"))
    return ["000"]


def edit_clip(world):
    world.edit(world.clips("001")[0], seed=100_002)
    return ["001"]


def rename_to_another_shard(world):
    world.rename(world.clips("001")[1], world.free_name("000"))
    return ["000", "001"]


def edit_unseen(world):
    lossless = [clip for clip in world.clips("000") if world.audio(clip).suffix == ".wav"]
    world.edit_unseen([clip for clip in lossless if clip.startswith("clip-")][-1])
    return ["000"]


def remove_clip(world):
    world.remove(world.clips("000")[1])
    return ["000"]


def edit_text(world):
    world.say(world.clips("002")[0], "toinen teksti")
    return ["002"]


def set_check(world, floor=0.01):
    config = world.config
    config["checks"]["crossings"] = {"floor": floor}
    world.configure(config)
    return world.shard_names()


def set_check_back(world):
    return set_check(world, floor=0.0)


def edit_check(world):
    path = world.root / "plugins/checks/crossings.py"
    before = path.read_text()
    path.write_text(before.replace("/ clip.duration_s", "/ clip.duration_s * 60"))
    assert path.read_text() != before
    return world.shard_names()


GROUPS = [  # rows that share a run where clips are few, and how far that run goes
    (
        [
            Row("nothing", nothing),
            Row("all raw files touched", touch_recordings),
            Row("threads, workers, device", another_machine),
            Row("comment and docstring in every module", remark_everywhere),
            Row("a statement in every module that computes nothing", edit_plumbing),
        ],
        (),
    ),
    ([Row("a corpus' licence", correct_licence, ("write_report", "package_model"))], ()),
    ([Row("threshold that changes nobody's fate", widen_bounds, (*PACKING, *RUN))], ("models/tiny/merged",)),
    (
        [
            Row("codec decoder weights", another_decoder, RESULTS, files=("synthesize_samples", "evaluate_model")),
            Row("checkpoint choice", choose_checkpoint, ("merge_model", *RESULTS), files=KEYED_FILES[2:]),
        ],
        ("results/tiny/samples",),
    ),
    (
        [
            Row("clip added", add_clip, (*SHARD, *RUN), ONE_CLIP, KEYED_FILES),
            Row("clip renamed within its shard", rename_within_shard, (*SHARD, *RUN), files=("pack_protos",)),
            Row("clip edited", edit_clip, (*SHARD, *RUN), ONE_CLIP, KEYED_FILES),
            Row("clip renamed to another shard", rename_to_another_shard, (*SHARD, *RUN), ONE_CLIP, KEYED_FILES),
            Row(
                "clip edited, size and mtime as before",
                edit_unseen,
                (*SHARD, *RUN),
                ONE_CLIP | {"transcribe_segments": 0},  # a given text asks for no more than the clip's times
                KEYED_FILES,
            ),
            Row("clip removed", remove_clip, (*SHARD, *RUN), files=KEYED_FILES),
            Row(
                "transcript edited",
                edit_text,
                ("transcribe_segments", *PACKING, *RUN),
                {"transcribe_segments": 1},
                KEYED_FILES,
            ),
        ],
        PACKS,
    ),
    (
        [
            Row("a check's parameter", set_check, ("measure_segments", *PACKING, *RUN), {"measure_segments": EACH}),
            Row("threshold", raise_threshold, (*PACKING, *RUN), files=KEYED_FILES),
        ],
        PACKS,
    ),
    (
        [
            Row("the check's parameter changed back", set_check_back, ("measure_segments", *PACKING, *RUN)),
            Row("the threshold changed back", widen_bounds, (*PACKING, *RUN)),
        ],
        PACKS,
    ),
    (
        [
            Row("one check's code", edit_check, ("measure_segments", *PACKING, *RUN), {"measure_segments": EACH}),
            Row(
                "codec encoder weights",
                another_encoder,
                ("encode_tokens", "pack_protos", *RUN),
                {"encode_tokens": EACH},
                KEYED_FILES,
            ),
        ],
        PACKS,
    ),
]
if IN_FULL:
    GROUPS = [([row], ()) for rows, _ in GROUPS for row in rows]


def modules(world) -> dict[str, Path]:
    """Files of the world's copy of the code by the names of their modules."""
    files = [path for room in ("kaiku", "workflow_scripts") for path in (world.code / room).rglob("*.py")]
    parts = {path: path.relative_to(world.code).with_suffix("").parts for path in files}
    return {".".join(names[: -1 if names[-1] == "__init__" else None]): path for path, names in parts.items()}


# --- the table


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> SmallWorld:
    """A world after one whole run, with a copy of the code of its own."""
    folder = tmp_path_factory.mktemp("table")
    world = small_world.build(folder / "world", CLIPS, SHARDS, small_world.copy_code(folder / "code"))
    world.snakemake()
    return world


@pytest.fixture(scope="module")
def measured():
    """Lines of the measured table; written at the end where a file is named for them."""
    lines = ["| edit | jobs planned | items computed | items reused |", "|---|---|---|---|"]
    yield lines
    if "KAIKU_TABLE_OUT" in os.environ:
        Path(os.environ["KAIKU_TABLE_OUT"]).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("rows", "target"), GROUPS, ids=[rows[0].name for rows, _ in GROUPS])
def test_an_edit_costs_what_the_table_says(world, measured, rows, target, tmp_path):
    touched = [sorted(row.edit(world)) for row in rows]
    planned = world.planned_jobs()
    assert by_shard(planned) == {job for row, shards in zip(rows, touched) for job in expected_jobs(row, shards)}

    targets = world.packs if target == PACKS else target
    ran = run(world, targets) if planned else {}
    assert ran.keys() <= set(planned) and (targets or ran.keys() == set(planned))
    computed = total(ran, "computed")
    assert computed == expected_work(rows, touched, len(world.clips()), computed.keys())
    assert {rule for row in rows for rule in row.items} <= computed.keys()
    assert sum(total(ran, "failed").values()) == sum(total(ran, "damaged").values()) == 0

    names = ", ".join(row.name for row in rows)
    work, kept = nonzero(computed), nonzero(total(ran, "reused"))
    measured.append(f"| {names} | {said(small_world.by_rule(planned))} | {work} | {kept} |")
    if IN_FULL:
        assert world.planned_jobs() == []
    if IN_FULL or (rows, target) == GROUPS[-1]:
        assert world.artefacts() == world.built_anew(tmp_path / "anew").artefacts()


def run(world: SmallWorld, targets: Iterable[str]) -> dict[str, dict[str, int]]:
    """Item counts of each job that a run of Snakemake ran."""
    for path in (world.root / "logs").glob("*/*.counts.json"):
        path.unlink()
    world.snakemake(*targets)
    rules = [folder.name for folder in (world.root / "logs").iterdir()]
    return {f"{rule}/{job}": counts for rule in rules for job, counts in world.counts(rule).items()}


def by_shard(jobs: Iterable[str]) -> set[tuple[str, str]]:
    """Jobs as (rule, shard); shard "" for those of a run."""
    names = [job.partition("/") for job in jobs]
    return {(rule, name.rpartition(".")[2] if rule in SHARD else "") for rule, _, name in names}


def expected_jobs(row: Row, shards: list[str]) -> set[tuple[str, str]]:
    return {(rule, shard) for rule in row.rules for shard in (shards if rule in SHARD else [""])}


def expected_work(rows: list[Row], touched: list[list[str]], clips: int, ran: Iterable[str]) -> dict[str, int]:
    """Items and files that the rules which ran are to have computed; a file that several rows touch is made once."""
    made = {
        (rule, shard)
        for row, shards in zip(rows, touched)
        for rule, shard in expected_jobs(row, shards)
        if rule in row.files
    }
    work = Counter(rule for rule, _ in made)
    for row in rows:
        work.update({rule: clips if items == EACH else items for rule, items in row.items.items()})
    return {rule: work[rule] for rule in ran}


def total(ran: dict[str, dict[str, int]], what: str) -> dict[str, int]:
    """Counts of the rules that look before they compute, summed by rule."""
    sums: Counter = Counter()
    for job, counts in ran.items():
        rule = job.partition("/")[0]
        if rule in (*ITEMS, *KEYED_FILES):
            sums[rule] += counts[what]
    return dict(sums)


def nonzero(sums: dict[str, int]) -> str:
    return said({rule: n for rule, n in sums.items() if n})


def said(sums: dict[str, int]) -> str:
    return ", ".join(f"{rule} {sums[rule]}" for rule in (*SHARD, *RUN) if rule in sums) or "0"
