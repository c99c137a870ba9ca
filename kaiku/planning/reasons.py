"""Why jobs are planned, in the user's words: from recorded keys, from the recordings, and from what is missing."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from kaiku import plugins
from kaiku.loading import codec_folder
from kaiku.planning import corpora, keytext
from kaiku.planning.job import Job
from kaiku.planning.stored import published
from kaiku.planning.work import Work
from kaiku.settings import Settings
from kaiku.store import manifests, scan

_DONE = re.compile(r"^\d\d:\d\d:\d\d computed \d+, reused \d+, failed \d+", re.M)
_SHOWN = 3
REVIEW, MANIFESTS = "data/review/", "data/manifests/"
REVIEWED = "decisions of the review changed"

Keys = Mapping[int, str | None]
"""The key's text of each job now, by the job's `id`."""


def reasons(settings: Settings, works: Sequence[Work]) -> list[str]:
    """What changed since the artefacts were made, or is not there; each thing once, however many jobs it plans."""
    jobs = [work.job for work in works]
    present = keytext.PresentKeys(settings)
    keys = {id(job): present.of(job.rule, job.names) for job in jobs}
    said = [*_recordings(jobs, keys), *_texts(settings, works, keys), *_keys(jobs, keys), *_files(settings, jobs)]
    said += [*_inputs(jobs), *_outputs(jobs)]
    said += _counted("{}: asked for anew, by force", (job for job in jobs if job.forced))
    return list(dict.fromkeys(said)) or _in_the_workflows_words(jobs)


def _made_under(job: Job) -> str | None:
    return job.past.key if job.past else None


def _recordings(jobs: Sequence[Job], keys: Keys) -> list[str]:
    """Recordings whose key is not the one their clips were cut under. A corpus that was never cut does not count."""
    old: dict[str, dict[str, str]] = defaultdict(dict)
    new: dict[str, dict[str, str]] = defaultdict(dict)
    for corpus, emptied in _emptied_shards(jobs):
        old[corpus] |= published(emptied).keys
    for job in jobs:
        if job.rule == "segment_recordings" and (job.updated or (job.missing and _was_cut(job))):
            corpus, made_under = job.names["corpus"], _made_under(job) or keys[id(job)] or ""
            rows = manifests.read_audio(Path(job.inputs[0]))
            stood = published(Path(job.outputs[0])).keys
            if job.updated and not stood:
                continue  # segments that cannot be read tell of nothing that came or went
            old[corpus] |= stood
            new[corpus] |= {row.recording: corpora.item_key(made_under, row.digest) for row in rows}
    return [f"{corpus}: {corpora.compare(old[corpus], new[corpus]).words() or corpora.OTHER}" for corpus in old]


def _was_cut(job: Job) -> bool:
    """Whether other shards of a segmenting job's corpus stand there: then its recordings are new ones."""
    return any(Path(job.outputs[0]).parent.glob("[0-9]*.parquet"))


def _emptied_shards(jobs: Iterable[Job]) -> Iterator[tuple[str, Path]]:
    """Segments of shards that hold no recordings any more, of the corpora that the jobs are about."""
    for corpus in dict.fromkeys(job.names["corpus"] for job in jobs if "corpus" in job.names):
        full = scan.read(keytext.MANIFESTS / corpus).shards
        for path in sorted(Path("data/segments", corpus).glob("[0-9]*.parquet")):
            if path.stem not in full:
                yield corpus, path


def _texts(settings: Settings, works: Iterable[Work], keys: Keys) -> list[str]:
    """Given texts edited: clips that were transcribed under another key, while the stage's own key is the same."""
    counts: Counter[str] = Counter()
    for work in works:
        job = work.job
        if job.rule != "transcribe_segments" or work.changed is None or not _takes_texts(settings, job):
            continue
        if _made_under(job) == keys[id(job)]:
            counts[job.names["corpus"]] += work.changed
    return [f"{corpus}: {_many(count, 'text')} changed" for corpus, count in counts.items() if count]


def _takes_texts(settings: Settings, job: Job) -> bool:
    return plugins.find("asr", settings.asr[job.names["asr"]].kind).NEEDS == "text"


def _keys(jobs: Iterable[Job], keys: Keys) -> list[str]:
    found: dict[str, None] = {}
    for job in jobs:
        before, now = _made_under(job), keys[id(job)]
        if before is not None and now is not None and before != now:
            found.update(dict.fromkeys(keytext.differences(before, now, job.names)))
    return list(found)


def _files(settings: Settings, jobs: Iterable[Job]) -> list[str]:
    """Inputs that changed though no planned job makes them: weights, base models, artefacts edited by hand."""
    paths = dict.fromkeys(path for job in jobs for path in job.updated if not path.startswith(MANIFESTS))
    owned = dict.fromkeys(owner for path in paths if (owner := _owner(settings, path)))
    folders = Counter(str(Path(path).parent) for path in paths if not _owner(settings, path))
    return [
        *owned,
        *(f"{folder}: {_many(count, 'file')} newer than what was made of it" for folder, count in folders.items()),
    ]


def _owner(settings: Settings, path: str) -> str | None:
    if path.startswith(REVIEW):
        return f"{Path(path).parent.name}: {REVIEWED}"
    for codec in settings.codecs:
        if Path(path).is_relative_to(codec_folder(settings, codec)):
            return f"codec {codec}: weights changed"
    for base in settings.bases:
        if Path(path).is_relative_to(settings.base_root(base)):
            return f"base {base}: files changed"
    return None


def _inputs(jobs: Iterable[Job]) -> list[str]:
    found = []
    for job in jobs:
        if job.inputs_changed and job.past:
            come, gone = set(job.inputs) - set(job.past.inputs), set(job.past.inputs) - set(job.inputs)
            if any(path.startswith(REVIEW) for path in come | gone):  # which brings the recordings it is about along
                found.append(f"{job.names['corpus']}: {REVIEWED}")
                come, gone = ({p for p in paths if not p.startswith((REVIEW, MANIFESTS))} for paths in (come, gone))
                if not come | gone:
                    continue
            changed = [f"{len(come)} more"] * bool(come) + [f"{len(gone)} fewer"] * bool(gone)
            found.append(
                f"{job.rule} {job.name}: other inputs than before ({', '.join(changed) or 'in another order'})"
            )
    return found


def _outputs(jobs: Sequence[Job]) -> list[str]:
    absent = [job for job in jobs if job.missing and not job.incomplete]
    broken = [job for job in jobs if job.incomplete]
    failed = [job for job in broken if _ended_badly(job)]
    found = [f"{job.rule} {job.name}: ran and failed last time{_last_words(job)}" for job in failed]
    found += _counted("{}: not whole, or not as they were made", (job for job in broken if job not in failed))
    return found + _counted("{}: asked for, not there yet", absent)


def _ended_badly(job: Job) -> bool:
    log = Path(job.log)
    return log.is_file() and not _DONE.search(log.read_text(errors="replace"))


def _last_words(job: Job) -> str:
    errors = re.findall(r"^error: (.+)$", Path(job.log).read_text(errors="replace"), re.M)
    return f" ({errors[-1]})" if errors else ", or was stopped"


def _counted(pattern: str, jobs: Iterable[Job]) -> list[str]:
    """One line for all jobs of all rules: `segment_recordings (16 jobs), pack_protos (16 jobs)`."""
    counts = Counter(job.rule for job in jobs)
    return [pattern.format(", ".join(f"{rule} ({_many(count, 'job')})" for rule, count in counts.items()))] * bool(
        counts
    )


def _in_the_workflows_words(jobs: Sequence[Job]) -> list[str]:
    """Where nothing of ours explains a plan, what Snakemake says of it."""
    counts = Counter(f"{job.rule}: {job.said}" for job in jobs)
    return [f"{words} ({_many(count, 'job')})" for words, count in counts.most_common(_SHOWN)]


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
