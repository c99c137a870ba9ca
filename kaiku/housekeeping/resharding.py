"""Another number of shards for a corpus: every finished item goes with its recording, and nothing is computed again.

First the new manifests and a carry folder for each new shard are built aside, from copies. Once all of that is there, a
mark says so, and everything takes its place by renames: whoever is killed before the mark has changed nothing, whoever
is killed after it is finished by the next call. The outputs themselves go; the next run makes them of what is carried.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kaiku.errors import CorruptFile, KaikuError
from kaiku.progress import log, track
from kaiku.store import artefacts, atomic, items, scan
from kaiku.store.containers import read_npy_shape
from kaiku.store.items import DATA, ROWS, Artefact
from kaiku.store.shards import shard_name, shard_of
from kaiku.store.stored import Assembly, Stored, Tabled
from kaiku.workspace import provenance
from kaiku.workspace.start import MANIFESTS
from kaiku.workspace.start import RESHARDED as _READY
from kaiku.workspace.start import RESHARDING as STAGING

MOST_SHARDS = 4096
_CLIP = re.compile(r"@\d{8,}-\d{8,}$")
_DERIVED = re.compile(r"~[a-z0-9-]+$")


@dataclass(frozen=True)
class Resharded:
    """What a call did: the numbers of shards, and by carry folder how many finished items went along."""

    before: int
    after: int
    items: dict[str, int]


@dataclass(frozen=True)
class _Stage:
    """An item stage of one corpus: folders whose members are its shards, and how to open one."""

    carry: Path
    outputs: Path
    suffix: str
    open: Callable[[Path, Path, Path, Path], Artefact]

    def shard(self, number: int) -> Artefact:
        rows_path = self.outputs / f"{shard_name(number)}.parquet"
        return self.open(rows_path, rows_path.with_suffix(self.suffix), self.carry / shard_name(number), self.outputs)


def reshard(corpus: str, shards: int, derived: Sequence[str] = ()) -> Resharded:
    """Spread a corpus of the current folder over another number of shards; the workspace must be quiet.

    derived: corpora that are made of it, which have its shards.
    """
    if not 1 <= shards <= MOST_SHARDS:
        raise KaikuError(f"{shards} shards", expected=f"1 to {MOST_SHARDS}")
    staging = STAGING / corpus
    begun = json.loads((staging / _READY).read_text()) if (staging / _READY).exists() else None
    done = Resharded(**begun) if begun else _build(corpus, shards, staging, derived)
    if done.after != shards:
        raise KaikuError(
            f"{corpus} was being spread over {done.after} shards when that was interrupted",
            remedy=f"Call it with SHARDS={done.after} first, to finish that.",
        )
    if done.before != done.after:
        _put_in_place(corpus, done, derived)
    return done


def _build(corpus: str, shards: int, staging: Path, derived: Sequence[str]) -> Resharded:
    before = scan.pinned_shards(MANIFESTS / corpus)
    if before is None:
        raise KaikuError(f"{MANIFESTS / corpus}: this corpus was never scanned", remedy="Run `snakemake -n` first.")
    if before == shards:
        return Resharded(before, shards, {})
    shutil.rmtree(staging, ignore_errors=True)
    scan.spread(MANIFESTS / corpus, shards, staging / "manifests")
    names = frozenset(scan.recordings(MANIFESTS / corpus))
    moved = {
        stage.carry.as_posix(): _spread(stage, before, shards, names, staging / stage.carry)
        for stage in chain(_stages(corpus), *(_stages(name, "augment") for name in derived))
    }
    done = Resharded(before, shards, moved)
    atomic.write_json(staging / _READY, {"before": before, "after": shards, "items": moved})
    return done


def _stages(corpus: str, cutting: str = "segment") -> Iterator[_Stage]:
    """Every item stage that has anything of a corpus. cutting: what its clips come from."""
    yield from _found(cutting, "segments", corpus, ".tar", artefacts.segments)
    yield from _found("measure", "measures", corpus, "", _without_data(artefacts.measures))
    yield from _found("measure_texts/*", "text_measures/*", corpus, "", _without_data(artefacts.measures))
    yield from _found("describe", "descriptions", corpus, "", _without_data(artefacts.descriptions))
    yield from _found("transcribe/*", "transcripts/*", corpus, "", _without_data(artefacts.transcripts))
    for stage in _found("encode/*", "tokens/*", corpus, ".npy", artefacts.segments):
        if codebooks := _codebooks(stage):
            yield _Stage(stage.carry, stage.outputs, ".npy", _tokens(codebooks))


def _found(carry: str, outputs: str, corpus: str, suffix: str, open: Callable) -> Iterator[_Stage]:
    carries, data = Path("work/carry"), Path("data")
    found = {path.relative_to(carries).parts[1:] for path in carries.glob(f"{carry}/{corpus}")}
    found |= {path.relative_to(data).parts[1:] for path in data.glob(f"{outputs}/{corpus}")}
    for parts in sorted(found):
        stage, kind = carry.split("/")[0], outputs.split("/")[0]
        yield _Stage(carries.joinpath(stage, *parts), data.joinpath(kind, *parts), suffix, open)


def _without_data(open: Callable) -> Callable[[Path, Path, Path, Path], Artefact]:
    return lambda rows_path, _, carry, before: open(rows_path, carry, before)


def _tokens(codebooks: int) -> Callable[[Path, Path, Path, Path], Artefact]:
    return lambda rows_path, data_path, carry, before: artefacts.tokens(rows_path, data_path, codebooks, carry, before)


def _codebooks(stage: _Stage) -> int | None:
    """Codebooks of a codec by any file of its tokens; None where there is none."""
    for path in [*stage.outputs.glob("*.npy"), *stage.carry.glob(f"*/g*/{DATA}")]:
        if path.stat().st_size:
            return read_npy_shape(path)[1]
    return None


def _spread(stage: _Stage, before: int, after: int, recordings: frozenset[str], target: Path) -> int:
    """Write what a stage holds to carry folders of the new shards; returns how many items that is.

    Shards of both numbers share recordings only where they are equal modulo the common divisor: one class at a time.
    """
    target.mkdir(parents=True)
    common, sample, count = math.gcd(before, after), stage.shard(0), 0
    for remainder in track(range(common), total=common, label=f"reshard {stage.carry}", unit="class"):
        new = {number: Assembly(sample.schema, sample.name_column) for number in range(remainder, after, common)}
        taken: dict[int, set[str]] = {number: set() for number in new}
        for number in range(remainder, before, common):
            owners = _Owners(recordings, after)
            for key, stored in items.kept(stage.shard(number)).items():
                names = owners.names(key, stored)
                if not names or not names.keys() <= new.keys():
                    names = {shard: {} for shard in new}  # a journal does not always tell whose an item is
                wanted = [shard for shard in names if key not in taken[shard]]
                for shard in wanted if wanted and _is_whole(key, stored) else ():
                    taken[shard].add(key)
                    new[shard].add(key, key, stored, lambda row, named=names[shard]: named)
        for shard, assembly in new.items():
            if taken[shard]:
                with atomic.folder(target / shard_name(shard) / "g000001") as folder:
                    assembly.write(folder / ROWS, folder / DATA, sample.container)
        count += len(set().union(*taken.values()))
    return count


class _Owners:
    """Which new shards the items of one old shard belong to, and what the rows are called there."""

    def __init__(self, recordings: frozenset[str], shards: int):
        self.recordings, self.count = recordings, shards
        self._tables: dict[Tabled, dict[str, dict[int, dict[str, str]]]] = {}

    def names(self, key: str, stored: Stored) -> dict[int, dict[str, str]]:
        """By shard, a label with the name of a recording or clip there that has this key; empty where no row says."""
        if isinstance(stored.source, Tabled):
            return self._of_table(stored.source).get(key, {})
        rows = stored.rows()
        named = [(column, row[column]) for column in ("recording", "clip") for row in rows if row.get(column)]
        return {self._shard(name): {column: name} for column, name in named[:1]}

    def _of_table(self, source: Tabled) -> dict[str, dict[int, dict[str, str]]]:
        """Of all rows: of items with one key, only the first one's are stored as its own."""
        if source not in self._tables:
            column = "recording" if "recording" in source.names else "clip"
            found: dict[str, dict[int, dict[str, str]]] = {}
            for key, name in zip(source.column("key"), source.column(column), strict=True):
                if name:
                    found.setdefault(key, {}).setdefault(self._shard(name), {column: name})
            self._tables[source] = found
        return self._tables[source]

    def _shard(self, clip: str) -> int:
        recording = clip if clip in self.recordings else _DERIVED.sub("", clip)
        recording = recording if recording in self.recordings else _CLIP.sub("", recording)
        return int(shard_of(recording, self.count))


def _is_whole(key: str, stored: Stored) -> bool:
    try:
        for _ in stored.payloads():
            pass
    except CorruptFile as error:
        log(f"left behind: {key}: {error}")
        return False
    return True


def _put_in_place(corpus: str, done: Resharded, derived: Sequence[str]) -> None:
    """Everything that was built takes the place of what was there; a second call finishes what a first one left."""
    staging, concerned = STAGING / corpus, (corpus, *derived)
    for root in (Path(), Path("work/before")):
        for output in [path for kind in _OUTPUTS for path in (root / "data" / kind).rglob("*")]:
            if any(_is_output(output.relative_to(root).as_posix(), name) for name in concerned):
                output.unlink()
    shutil.rmtree(staging / "old", ignore_errors=True)
    for number, carry in enumerate(map(Path, done.items)):
        if (staging / carry).exists():
            if carry.exists():
                (staging / "old").mkdir(exist_ok=True)
                os.rename(carry, staging / "old" / f"{number}")
            atomic.make_folder(carry.parent)
            os.rename(staging / carry, carry)
            atomic.fsync(carry.parent)
    for name in concerned:
        _forget_shards_beyond(name, done.after)
    provenance.forget_outputs(lambda output: any(_is_output(output, name) for name in concerned))
    _pin(corpus, done.after, staging / "manifests")
    shutil.rmtree(staging)


_OUTPUTS = (
    *("segments", "transcripts", "measures", "text_measures", "descriptions", "comparisons", "tokens"),
    *("selection", "protos"),
)


def _is_output(path: str, corpus: str) -> bool:
    """Whether a path is an output of one of a corpus' shards."""
    by_shard = r"(segments|measures|descriptions|comparisons|(transcripts|text_measures|tokens|selection)/[^/]+)"
    packs = r"protos/[^/]+/[^/]+/[^/]+"
    name = re.escape(corpus)
    return re.fullmatch(rf"data/({by_shard}/{name}/\d+\.\w+|{packs}/{name}-\d+\.protos)", path) is not None


def _forget_shards_beyond(corpus: str, shards: int) -> None:
    """Remove kept packs and logs of shards that are no more: reports count what the logs say."""
    name = re.escape(corpus)
    packs = [(path, rf"{name}-(\d+)") for path in Path("work/carry/pack").glob("*/*/*")]
    logs = [(path, rf"(?:.+\.)?{name}\.(\d+)\.\D+") for path in Path("logs").glob("*/*")]
    for path, pattern in packs + logs:
        found = re.fullmatch(pattern, path.name)
        if found and int(found[1]) >= shards:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _pin(corpus: str, shards: int, built: Path) -> None:
    folder = MANIFESTS / corpus
    for path in sorted(built.iterdir(), key=lambda path: path.suffix == ".json"):  # the number itself last
        os.replace(path, folder / path.name)
    for path in folder.glob("*.tsv"):
        number = path.name.split(".")[0]
        if number.isdigit() and int(number) >= shards:
            path.unlink()
    atomic.fsync(folder)
