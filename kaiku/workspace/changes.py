"""What changed since the artefacts were made, told at every start: from manifests and records alone, in milliseconds.

No artefact is opened. A job leaves the manifest it read beside its results, as a link: while the manifest is still that
very file, nothing changed, and nothing is read. A record that holds the key's present text needs no parsing either.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from kaiku import plugins
from kaiku.listing import visible_files
from kaiku.loading import codec_folder
from kaiku.planning import corpora
from kaiku.planning.corpora import Change
from kaiku.planning.keytext import PresentKeys, differences
from kaiku.review.files import REVIEW, path_of
from kaiku.settings import Settings
from kaiku.store import manifests
from kaiku.store.scan import Scanned
from kaiku.workspace import provenance
from kaiku.workspace.plan import past

OUTPUTS = {
    "segment_recordings": "data/segments/{corpus}/{shard}.parquet",
    "transcribe_segments": "data/transcripts/{asr}/{corpus}/{shard}.parquet",
    "measure_segments": "data/measures/{corpus}/{shard}.parquet",
    "measure_texts": "data/text_measures/{asr}/{corpus}/{shard}.parquet",
    "describe_clips": "data/descriptions/{corpus}/{shard}.parquet",
    "compare_clips": "data/comparisons/{corpus}/{shard}.parquet",
    "select_segments": "data/selection/{dataset}/{corpus}/{shard}.parquet",
    "report_dataset": "results/datasets/{dataset}/report.html",
    "pass_gates": "results/datasets/{dataset}/passed.json",
    "train_codec": "models/codecs/{codec}/key.json",
    "encode_tokens": "data/tokens/{codec}/{corpus}/{shard}.parquet",
    "pack_protos": "data/protos/{dataset}/{codec}/train/{corpus}-{shard}.protos",
    "train_model": "models/{run}/checkpoints",
    "merge_model": "models/{run}/merged",
    "synthesize_samples": "results/{run}/samples",
    "evaluate_model": "results/{run}/metrics.json",
    "write_report": "results/{run}/report.html",
    "package_model": "dist/{run}.tar.gz",
    "export_dataset": "dist/exports/{export}",
}
"""One output of each rule's jobs: its record stands for all of them."""

OF_DERIVED = {"segment_recordings": "augment_segments", "transcribe_segments": "inherit_transcripts"}
"""What makes the same outputs of a derived corpus."""

READ_AT_MOST = 8  # changed manifests of a corpus that are read for counts; of more, only their number is told
TOLD_AT_MOST = 12  # lines; `make plan` tells all


def lines(settings: Settings, scanned: Mapping[str, Scanned]) -> list[str]:
    """What changed, a phrase each: recordings, texts, decisions, weights, settings, code, libraries. Empty: nothing."""
    found = [line for corpus in scanned for line in _of_corpus(settings, corpus, scanned[corpus].shards)]
    found += [line for corpus in scanned for line in _of_review(settings, corpus)]
    found += _weights(settings)
    found += _keys(settings, lambda corpus: scanned[corpus].recordings if corpus in scanned else 0)
    found = list(dict.fromkeys(found))
    left = len(found) - TOLD_AT_MOST
    more = [f"and {left} change{'' if left == 1 else 's'} more"] if left > 0 else []
    return found[:TOLD_AT_MOST] + more


def _of_corpus(settings: Settings, corpus: str, shards: Sequence[str]) -> Iterator[str]:
    folder = Path("data/manifests") / corpus
    carry = Path("work/carry/segment") / corpus
    known = sorted({*shards, *(path.name for path in carry.glob("[0-9]*"))})  # one may have lost all its recordings
    changed = list(_changed((manifests.audio_path(folder, shard), carry / shard) for shard in known))
    if len(changed) > READ_AT_MOST:
        yield f"{corpus}: recordings of {len(changed)} shards changed"
    elif changed:
        words = _sum(corpora.since_kept(*pair) for pair in changed).words()
        yield f"{corpus}: {words or corpora.OTHER}"
    for asr in (name for name, own in settings.asr.items() if plugins.find("asr", own.kind).NEEDS == "text"):
        carry = Path("work/carry/transcribe") / asr / corpus
        changed = list(_changed((manifests.text_path(folder, shard), carry / shard) for shard in known))
        if len(changed) > READ_AT_MOST:
            yield f"{corpus}: texts of {len(changed)} shards changed"
        elif count := sum(corpora.texts_since_kept(*pair) for pair in changed):
            yield f"{corpus}: {count} text{'' if count == 1 else 's'} changed"
    if given := settings.corpora[corpus].tokens:
        carry = Path("work/carry/encode") / given.codec / corpus
        changed = list(_changed((manifests.tokens_path(folder, shard), carry / shard) for shard in known))
        if changed:
            yield f"{corpus}: given tokens of {len(changed)} shard{'' if len(changed) == 1 else 's'} changed"


def _of_review(settings: Settings, corpus: str) -> Iterator[str]:
    """Decisions that are newer than a selection that they are an input of."""
    drawn = [Path("data/selection") / name / corpus for name, own in settings.datasets.items() if corpus in own.corpora]
    shards = [path.stem for path in (REVIEW / corpus).glob("[0-9]*.tsv")]
    made = {shard: [path for folder in drawn if (path := folder / f"{shard}.parquet").exists()] for shard in shards}
    if changed := sum(_are_newer([path_of(corpus, shard)], found) for shard, found in made.items()):
        yield f"{corpus}: decisions of the review changed in {changed} shard{'' if changed == 1 else 's'}"


def _changed(shards: Iterable[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    """Manifests that are not those their shard was made of, each with that one."""
    for manifest, carry in shards:
        kept = manifests.made_of(manifest, carry)
        same = not kept.exists() or not manifest.exists() or kept.samefile(manifest)
        if not same and kept.read_bytes() != manifest.read_bytes():
            yield manifest, kept


def _sum(changes: Iterable[Change]) -> Change:
    total: Counter[str] = Counter()
    for change in changes:
        total.update(vars(change))
    return Change(**{field.name: total[field.name] for field in fields(Change)})


def _weights(settings: Settings) -> Iterator[str]:
    """Weights that are newer than what was made with them: by time alone, as Snakemake takes large files."""
    for codec, own in settings.codecs.items():
        files = (
            [codec_folder(settings, codec) / "encoder.safetensors"]
            if own.dataset
            else visible_files(settings.base_root(own.base))
        )
        if _are_newer(files, (Path("data/tokens") / codec).glob("*/*.parquet")):
            yield f"codec {codec}: weights are newer than its tokens"
    for asr, own in settings.asr.items():
        if own.model and _are_newer(
            visible_files(settings.base_root(own.model)), (Path("data/transcripts") / asr).glob("*/*.parquet")
        ):
            yield f"asr {asr}: its model is newer than its transcripts"


def _are_newer(files: Iterable[Path], made: Iterable[Path]) -> bool:
    newest = max((path.stat().st_mtime for path in files if path.exists()), default=0)
    oldest = min((path.stat().st_mtime for path in made), default=newest)
    return newest > oldest


def _keys(settings: Settings, recordings: Callable[[str], int]) -> list[str]:
    """What differs between the keys on record and those of now."""
    present = PresentKeys(settings, recordings)
    found: dict[str, dict[str, None]] = {rule: {} for rule in (*OUTPUTS, *OF_DERIVED.values())}
    for record in provenance.records():
        job = _job_of(record.output, settings)
        now = present.of(*job) if job and _is_configured(settings, job[1]) else None
        if now is None:
            continue
        told = record.file.read_text()
        if json.dumps(repr(now)) not in told:
            before = _key_in(told)
            found[job[0]].update(dict.fromkeys(differences(before, now, job[1]) if before else ()))
    return [phrase for phrases in found.values() for phrase in sorted(phrases)]


def _key_in(told: str) -> str | None:
    try:
        return past(json.loads(told)).key
    except ValueError:
        return None  # cut off by a kill; Snakemake takes such a record for none


def _is_configured(settings: Settings, names: Mapping[str, str]) -> bool:
    known = {"corpus": settings.corpora, "dataset": settings.datasets, "run": settings.runs}
    known |= {"codec": settings.codecs, "asr": settings.asr, "export": settings.exports}
    return all(names[what] in known[what] for what in names.keys() & known.keys())


def _pattern(output: str) -> re.Pattern:
    named = re.sub(r"\\\{(\w+)\\\}", lambda m: f"(?P<{m[1]}>{'[0-9]+' if m[1] == 'shard' else '[a-z0-9-]+'})", output)
    return re.compile(named)


_PATTERNS = {rule: _pattern(re.escape(output)) for rule, output in OUTPUTS.items()}


def _job_of(output: str, settings: Settings) -> tuple[str, dict[str, str]] | None:
    for rule, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(output):
            names = found.groupdict()
            own = settings.corpora.get(names.get("corpus", ""))
            return OF_DERIVED.get(rule, rule) if own and own.derived else rule, names
    return None
