"""What of a clip is stale now and why, and what its artefacts depend on: by the keys its rows hold."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kaiku import plugins
from kaiku.loading import codec_folder
from kaiku.planning.finding import Place
from kaiku.planning.job import Past
from kaiku.planning.keytext import PresentKeys, differences, parts
from kaiku.planning.reasons import REVIEWED
from kaiku.planning.stored import published
from kaiku.planning.work import BY_CHECK
from kaiku.review.files import path_of
from kaiku.settings import Settings
from kaiku.stages import check_model, second_asrs, text_checks
from kaiku.store import rows
from kaiku.store.items import Item

CUTTING = ("segment_recordings", "augment_segments")
"""Rules that make clips."""

Recorded = Callable[[str], Past | None]
"""What is on record of the job that made an output."""


@dataclass(frozen=True)
class Artefact:
    """An item artefact of a clip's shard: the rule that makes it, with which names, and its program's arguments."""

    rule: str
    names: Mapping[str, str]
    rows_path: Path
    arguments: tuple[str, ...]


def staleness(
    settings: Settings, place: Place, programs: Mapping[str, ModuleType], recorded: Recorded
) -> list[dict[str, Any]]:
    """For each artefact that holds the clip: whether its rows are those that would be made now, and if not why.

    stale: None where that cannot be told before something else is made. Of the checks, each has a line of its own.
    """
    present, lines = PresentKeys(settings), []
    upstream_is_stale = False
    for artefact in artefacts(settings, place):
        if artefact.rows_path.is_file() and artefact.rows_path.stat().st_size:
            now = present.of(artefact.rule, artefact.names) or ""
            unknown = _cannot_be_told(settings, artefact, upstream_is_stale)
            why = [] if unknown else list(_why(settings, place, artefact, programs[artefact.rule], recorded, now))
            lines.append(
                {
                    "artefact": str(artefact.rows_path),
                    "stale": None if unknown else bool(why),
                    "why": [unknown] if unknown else why,
                    "depends_on": [*_inputs(settings, artefact), *parts(now, artefact.names)],
                }
            )
            upstream_is_stale |= bool(why) and artefact.rule in CUTTING
    return [*lines, *_decisions(settings, place, recorded, present)]


def _decisions(settings: Settings, place: Place, recorded: Recorded, present: PresentKeys) -> Iterator[dict[str, Any]]:
    """Selections, which are made of whole tables: stale where their key is another one."""
    for dataset, own in settings.datasets.items():
        names = {"dataset": dataset, "corpus": place.corpus, "shard": place.shard}
        output = f"data/selection/{dataset}/{place.corpus}/{place.shard}.parquet"
        if place.corpus in own.corpora and Path(output).is_file():
            now = present.of("select_segments", names) or ""
            before = _key_on_record(recorded(output))
            why = differences(before, now, names) if before else []
            why += [REVIEWED] if _is_newer(path_of(place.corpus, place.shard), Path(output)) else []
            depends_on = ["its segments, transcripts and measures", *parts(now, names)]
            yield {"artefact": output, "stale": bool(why), "why": why, "depends_on": depends_on}


def _is_newer(path: Path, output: Path) -> bool:
    return path.is_file() and path.stat().st_mtime_ns > output.stat().st_mtime_ns


def _key_on_record(past: Past | None) -> str | None:
    return past.key if past else None


def artefacts(settings: Settings, place: Place) -> Iterator[Artefact]:
    """The item artefacts of a shard, as the rules call their programs."""
    corpus, shard = place.corpus, place.shard
    segments, audio = (Path(f"data/segments/{corpus}/{shard}.{kind}") for kind in ("parquet", "tar"))
    manifest, texts = (f"data/manifests/{corpus}/{shard}.{kind}.tsv" for kind in ("audio", "text"))
    clips = ("--corpus", corpus, "--segments", str(segments), "--audio", str(audio))
    names = {"corpus": corpus, "shard": shard}
    cut = ("--corpus", corpus, "--manifest", manifest, "--audio", str(audio), "--rows", str(segments))
    if settings.corpora[corpus].derived:
        source = Path(f"data/segments/{settings.origin(corpus)}/{shard}.parquet")
        made = ("--corpus", corpus, "--segments", str(source), "--audio", str(source.with_suffix(".tar")))
        made += ("--rows", str(segments), "--tar", str(audio), "--carry", f"work/carry/augment/{corpus}/{shard}")
        yield Artefact("augment_segments", names, segments, made)
    else:
        carry = f"work/carry/segment/{corpus}/{shard}"
        yield Artefact("segment_recordings", names, segments, (*cut, "--carry", carry))
    for asr in () if settings.corpora[corpus].derived else settings.asr:  # a derived clip's text is its source's
        rows_path = Path(f"data/transcripts/{asr}/{corpus}/{shard}.parquet")
        own = ("--asr", asr, "--texts", texts, "--rows", str(rows_path))
        carry = f"work/carry/transcribe/{asr}/{corpus}/{shard}"
        yield Artefact("transcribe_segments", {**names, "asr": asr}, rows_path, (*clips, *own, "--carry", carry))
    rows_path = Path(f"data/measures/{corpus}/{shard}.parquet")
    carry = f"work/carry/measure/{corpus}/{shard}"
    yield Artefact("measure_segments", names, rows_path, (*clips, "--rows", str(rows_path), "--carry", carry))
    for asr in settings.asr:
        rows_path = Path(f"data/text_measures/{asr}/{corpus}/{shard}.parquet")
        carry = f"work/carry/measure_texts/{asr}/{corpus}/{shard}"
        seconds = [f"data/transcripts/{second}/{corpus}/{shard}.parquet" for second in second_asrs(settings, asr)]
        own = ("--transcripts", f"data/transcripts/{asr}/{corpus}/{shard}.parquet", "--seconds", *seconds)
        own += ("--measures", f"data/measures/{corpus}/{shard}.parquet", "--rows", str(rows_path), "--carry", carry)
        yield Artefact("measure_texts", {**names, "asr": asr}, rows_path, ("--asr", asr, *clips, *own))
    if settings.checks_that_need("corpus"):
        rows_path = Path(f"data/descriptions/{corpus}/{shard}.parquet")
        carry = f"work/carry/describe/{corpus}/{shard}"
        yield Artefact("describe_clips", names, rows_path, (*clips, "--rows", str(rows_path), "--carry", carry))
    for codec in settings.codecs:
        rows_path = Path(f"data/tokens/{codec}/{corpus}/{shard}.parquet")
        own = ("--codec", codec, "--weights", str(codec_folder(settings, codec)), "--rows", str(rows_path))
        codes = ("--codes", str(rows_path.with_suffix(".npy")))
        if (given := settings.corpora[corpus].tokens) and given.codec == codec:
            codes += ("--given", f"data/manifests/{corpus}/{shard}.tokens.tsv")
        carry = f"work/carry/encode/{codec}/{corpus}/{shard}"
        yield Artefact("encode_tokens", {**names, "codec": codec}, rows_path, (*clips, *own, *codes, "--carry", carry))


def _cannot_be_told(settings: Settings, artefact: Artefact, upstream_is_stale: bool) -> str:
    """Why nobody can say yet whether an artefact is stale; empty where one can."""
    if upstream_is_stale:
        return "what it is made of is to be made again first"
    needed = codec_folder(settings, artefact.names["codec"]) if artefact.rule == "encode_tokens" else None
    if artefact.rule == "transcribe_segments" and (model := settings.asr[artefact.names["asr"]].model):
        needed = settings.base_root(model)
    if artefact.rule == "measure_texts":
        models = (check_model(settings, check) for check in text_checks(settings, artefact.names["asr"]))
        needed = next((root for name in models if name and not (root := settings.base_root(name)).is_dir()), None)
    return f"{needed}, which it was made with, is not on this machine" if needed and not needed.is_dir() else ""


def _why(
    settings: Settings, place: Place, artefact: Artefact, program: ModuleType, recorded: Recorded, now: str
) -> Iterator[str]:
    stood = published(artefact.rows_path)
    items = _wanted(settings, artefact, program)
    wanted = {name: item.key for name, item in items.items()}
    mine = [item for item in stood.keys if _is_of(item, place, artefact.rule)]
    stale = [item for item in mine if wanted.get(item) != stood.keys[item]]
    absent = [item for item in wanted if _is_of(item, place, artefact.rule) and item not in stood.keys]
    before = _key_on_record(recorded(str(artefact.rows_path)))
    known = differences(before, now, artefact.names) if before and before != now else []
    if stale or absent:
        yield from _of_check(known, stale + absent) if artefact.rule in BY_CHECK else known
        if not known:
            yield _input_words(artefact.rule)
    elif known and _are_named_otherwise(artefact, items, mine):
        yield from known
    yield from (f"failed: {stood.failed[item]}" for item in mine if item in stood.failed)


def _are_named_otherwise(artefact: Artefact, items: Mapping[str, Item], mine: Sequence[str]) -> bool:
    """Whether columns that follow from the clip's rows, and enter no key, would be filled otherwise now."""
    found = [row for row in rows.read(artefact.rows_path).to_pylist() if row["item"] in mine]
    return any({**row, **items[row["item"]].label(row)} != row for row in found)


def _wanted(settings: Settings, artefact: Artefact, program: ModuleType) -> dict[str, Item]:
    args: argparse.Namespace = program.parser().parse_args(artefact.arguments)
    _, items, _ = program.shard(settings, args)
    return {item.id: item for item in items}


def _is_of(item: str, place: Place, rule: str) -> bool:
    if rule == "segment_recordings":
        return item == place.recording
    return item == place.clip or (rule in BY_CHECK and item.rpartition(":")[0] == place.clip)


def _of_check(phrases: list[str], items: list[str]) -> Iterator[str]:
    """Of what changed in any check, what concerns those whose rows are stale."""
    checks = {item.rpartition(":")[2] for item in items}
    for phrase in phrases:
        subject = phrase.partition(":")[0]
        if not subject.startswith("check ") or subject.removeprefix("check ") in checks:
            yield phrase


def _inputs(settings: Settings, artefact: Artefact) -> list[str]:
    if artefact.rule == "segment_recordings":
        return ["bytes of the recording"]
    if artefact.rule == "augment_segments":
        return [f"audio of the clip of {settings.origin(artefact.names['corpus'])} it is made of"]
    if artefact.rule == "encode_tokens":
        return ["its audio", f"encoder of codec {artefact.names['codec']}"]
    if artefact.rule == "transcribe_segments":
        own = settings.asr[artefact.names["asr"]]
        if plugins.find("asr", own.kind).NEEDS == "text":
            return ["given texts that touch it"]
        return ["its audio", f"base {own.model}"] if own.model else ["its audio"]
    return ["its text"] if artefact.rule == "measure_texts" else ["its audio"]


def _input_words(rule: str) -> str:
    return {
        "segment_recordings": "the recording was edited, or is gone",
        "augment_segments": "the clip it is made of was edited, or is gone",
        "transcribe_segments": "its given text was edited, or what the transcriber hears",
        "measure_texts": "its text changed",
        "encode_tokens": "its audio, tokens that were given with it, or the codec's weights changed",
    }.get(rule, "its audio changed")
