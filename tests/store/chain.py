"""A small workflow over real manifests, item stages and packs, whose stages compute next to nothing.

A recording's bytes are its clips, `one|two`.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kaiku.errors import CorruptFile, KaikuError
from kaiku.layouts import wav_lab
from kaiku.store import artefacts, code, digest, items, keys, manifests, packs, protos, rows, scan, whole
from kaiku.store.artefacts import SEGMENTS, SELECTION, TRANSCRIPTS
from kaiku.store.containers import Tar
from kaiku.store.items import Artefact, Item, Outcome
from kaiku.workspace import before

STAGES = ("segment", "transcribe", "measure", "select", "encode", "pack")
CHECKS = ("length", "sum")
SPLITS = ("train", "val")

for module in (wav_lab, scan):  # a scan asks for them, and what is read of them is kept on the disk, once
    code.code_digest(module.__name__)


@dataclass(frozen=True)
class Key(keys.StageKey):
    """A stage's key, with a code version that a test sets."""

    version: int = 1

    def _value(self, *more):
        return {**super()._value(*more), "code": self.version}


@dataclass
class How:
    """What a result depends on beside the recordings: of each stage a parameter and the version of its code."""

    params: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 1))
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 1))
    broken: frozenset[bytes] = frozenset()  # clips that the codec fails on, for a reason outside of any key

    def key(self, stage: str) -> Key:
        return Key(stage, {"value": self.params[stage]}, (), version=self.versions[stage])

    def values(self, stage: str) -> tuple[int, int]:
        return self.params[stage], self.versions[stage]


# --- what the stages do


def cut(content: bytes, value: int, version: int) -> list[bytes]:
    if content.startswith(b"!"):
        raise ValueError(f"cannot read {content.decode()}")
    clips = [part[::-1] * value for part in content.split(b"|")] if content else []
    return [clip.upper() for clip in clips] if version == 2 else clips


def spell(text: str, value: int, version: int) -> str:
    return (text.title() if value == 2 else text) + "." * version


def weigh(check: str, clip: bytes, value: int, version: int) -> float:
    return (len(clip) if check == "length" else sum(clip) % 97) * value + version / 2


def codes_of(clip: bytes, value: int, version: int) -> bytes:
    if not clip:
        raise KaikuError("a clip without a sample")
    samples = np.frombuffer(clip, np.uint8).astype("<u2")
    return np.stack([samples * value, samples + version], 1).tobytes()


def split_of(recording: str) -> str:
    return SPLITS[hashlib.blake2b(recording.encode()).digest()[0] % 4 == 0]


# --- jobs


@dataclass(frozen=True)
class Job:
    """One stage of one shard: files it reads, files it makes, where it carries over, and its key as the rule has it."""

    stage: str
    shard: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    key: str
    run: Callable[["Job", "Watch"], Any]

    @property
    def place(self) -> tuple[str, str]:
        return self.stage, self.shard


class Watch:
    """Is told what a job does; this one does not mind."""

    def begin(self, job: Job, needed: set[str]) -> None:
        """A job is about to look for these keys."""

    def asked(self, job: Job, missing: list[str]) -> None:
        """It found all but these."""

    def works(self, job: Job, key: str) -> None:
        """It computes one of them."""

    def finished(self, job: Job, key: str) -> None:
        """It went on, so that the item is safe."""

    def failed(self, job: Job, key: str) -> None:
        """The item broke."""

    def through(self, job: Job) -> None:
        """It computed all of them."""

    def end(self, job: Job) -> None:
        """The job is done, its outputs stand."""


class Chain:
    """A corpus' workspace. `corpus` is where its recordings are."""

    def __init__(self, root: Path, corpus: Path, shards: int, how: How):
        self.root, self.corpus, self.shards, self.how = root, corpus, shards, how
        self.max_failed = 1.0

    def scan(self) -> scan.Scanned:
        discover = partial(wav_lab.discover, settings=wav_lab.Settings())
        return scan.scan(self.corpus, self.manifests, self.root / "work/scan", discover, shards=self.shards, how="lab")

    @property
    def manifests(self) -> Path:
        return self.root / "data/manifests/c"

    def path(self, stage: str, shard: str, suffix: str = ".parquet") -> Path:
        folder = {"segment": "segments", "transcribe": "transcripts", "measure": "measures", "encode": "tokens"}
        return self.root / "data" / folder.get(stage, stage) / f"{shard}{suffix}"

    def carry(self, stage: str, shard: str) -> Path:
        return self.root / "work/carry" / stage / shard

    def jobs(self, shard: str) -> list[Job]:
        """The jobs of a shard, each behind those that make its inputs."""
        audio, text = manifests.audio_path(self.manifests, shard), manifests.text_path(self.manifests, shard)
        segments = (self.path("segment", shard), self.path("segment", shard, ".tar"))
        transcripts, measures, selection = (self.path(stage, shard) for stage in ("transcribe", "measure", "select"))
        tokens = (self.path("encode", shard), self.path("encode", shard, ".npy"))
        protos_of = tuple(self.path("pack", shard, f".{split}") for split in SPLITS)
        declared = [
            ("segment", (audio,), segments, self._segment),
            ("transcribe", (*segments, text), (transcripts,), self._transcribe),
            ("measure", segments, (measures,), self._measure),
            ("select", (segments[0], transcripts, measures), (selection,), self._select),
            ("encode", segments, tokens, self._encode),
            ("pack", (selection, *tokens), protos_of, self._pack),
        ]
        return [
            Job(stage, shard, inputs, outputs, self.how.key(stage).text(), partial(run, how=self.how))
            for stage, inputs, outputs, run in declared
        ]

    def artefact(self, job: Job) -> Artefact:
        """What an item stage's job publishes."""
        carry = self.carry(*job.place)
        aside = self.root / before.FOLDER / job.outputs[0].parent.relative_to(self.root)
        if job.stage == "encode":
            return artefacts.tokens(*job.outputs, 2, carry, aside)
        make = {"segment": artefacts.segments, "transcribe": artefacts.transcripts, "measure": artefacts.measures}
        return make[job.stage](*job.outputs, carry, aside)

    def _segment(self, job: Job, watch: Watch, how: How) -> None:
        def work(row: manifests.AudioRow) -> Outcome:
            content = (self.corpus / row.path).read_bytes()
            if digest.of_bytes(content) != row.digest:
                raise KaikuError(f"{row.path} changed while the workflow ran")
            clips = cut(content, *how.values("segment"))
            if not clips:
                return Outcome([{}], status=rows.STATUS_EMPTY)
            return Outcome([{"start_s": float(n), "gain_db": 0.0, "path": ""} for n in range(len(clips))], list(clips))

        def label(row: manifests.AudioRow, made: dict[str, Any]) -> dict[str, Any]:
            clip = None if made.get("start_s") is None else f"{row.recording}@{made['start_s']:.0f}"
            return {"recording": row.recording, "speaker": row.speaker, "language": row.language, "clip": clip}

        key = how.key("segment")
        found = [Item(r.recording, key.item(r.digest), r, partial(label, r)) for r in manifests.read_audio(*job.inputs)]
        self._items(job, watch, found, work)

    def _transcribe(self, job: Job, watch: Watch, how: How) -> None:
        texts = {row.recording: row.text for row in manifests.read_text(job.inputs[2])}
        key, found = how.key("transcribe"), []
        for row in self._clips(job):
            text = texts.get(row["recording"], "")
            found.append(Item(row["clip"], key.item(text), text, partial(_named, row)))

        def work(text: str) -> Outcome:
            spelt = spell(text, *how.values("transcribe"))
            return Outcome([{"text_raw": text, "text": spelt, "confidence": 1.0, "language": "fi"}])

        self._items(job, watch, found, work)

    def _measure(self, job: Job, watch: Watch, how: How) -> None:
        read, key = self._reader(job), how.key("measure")
        found = [
            Item(f"{row['clip']} {check}", key.item(check, row["digest"]), (check, row), partial(_named, row))
            for row in self._clips(job)
            for check in CHECKS
        ]

        def work(given: tuple[str, dict[str, Any]]) -> Outcome:
            check, row = given
            value = weigh(check, read(row), *how.values("measure"))
            return Outcome([{"check": check, "measure": check, "value": value}])

        self._items(job, watch, found, work)

    def _select(self, job: Job, watch: Watch, how: How) -> None:
        watch.begin(job, set())
        segments, transcripts, measures = job.inputs
        texts = {row["clip"]: row["text"] for row in rows.read(transcripts, TRANSCRIPTS).to_pylist()}
        lengths = {r["clip"]: r["value"] for r in rows.read(measures).to_pylist() if r["check"] == "length"}
        value, version = how.values("select")
        decided = []
        for row in rows.read(segments, SEGMENTS).to_pylist():
            own = {name: row[name] for name in ("clip", "recording", "speaker", "language")}
            kept = row["status"] == rows.STATUS_OK and lengths[row["clip"]] > value * version
            text = texts.get(row["clip"], "")
            decided.append({**own, "kept": kept, "reason": "" if kept else "short", "text": text})
            decided[-1]["split"] = split_of(row["recording"])
        rows.write(job.outputs[0], rows.table(decided, SELECTION))
        watch.end(job)

    def _encode(self, job: Job, watch: Watch, how: How) -> None:
        read, key = self._reader(job), how.key("encode")
        found = [Item(row["clip"], key.item(row["digest"]), row, partial(_named, row)) for row in self._clips(job)]

        def work(row: dict[str, Any]) -> Outcome:
            if read(row) in how.broken:
                raise RuntimeError("the device is lost")
            return Outcome([{}], [codes_of(read(row), *how.values("encode"))])

        self._items(job, watch, found, work)

    def _pack(self, job: Job, watch: Watch, how: How) -> None:
        key = how.key("pack").item(*map(digest.of_file, job.inputs))
        watch.begin(job, {key})

        def build(outputs: dict[str, Path]) -> None:
            watch.asked(job, [key])
            watch.works(job, key)
            for split, path in outputs.items():
                kept = packs.sentences(*job.inputs, split)
                protos.write_protos(path, protos.group_by_speaker("c{}{}".format(*how.values("pack")), kept))
            watch.through(job)

        whole.run(self.carry(*job.place), key, dict(zip(SPLITS, job.outputs, strict=True)), build)
        watch.end(job)

    def _items(self, job: Job, watch: Watch, found: list[Item], work: Callable[[Any], Outcome]) -> None:
        watch.begin(job, {item.key for item in found})

        def compute(missing: list[Item]) -> Iterator[tuple[Item, Outcome]]:
            watch.asked(job, [item.key for item in missing])
            for item in missing:
                watch.works(job, item.key)
                outcome = items.attempt(work, item.work)
                yield item, outcome
                (watch.failed if outcome.status == rows.STATUS_FAILED else watch.finished)(job, item.key)
            watch.through(job)

        items.run(self.artefact(job), found, compute, label=job.stage, max_failed=self.max_failed)
        watch.end(job)

    def _clips(self, job: Job) -> list[dict[str, Any]]:
        return [row for row in rows.read(job.inputs[0], SEGMENTS).to_pylist() if row["status"] == rows.STATUS_OK]

    def _reader(self, job: Job) -> Callable[[dict[str, Any]], bytes]:
        """A clip's bytes as they were when the job began."""
        read = Tar(".flac").open(job.inputs[1])

        def checked(row: dict[str, Any]) -> bytes:
            payload = bytes(read(row["offset"], row["size"]))
            if digest.of_bytes(payload) != row["digest"]:
                raise CorruptFile(f"clip {row['clip']}")
            return payload

        return checked


def _named(row: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    return {"clip": row["clip"]}
