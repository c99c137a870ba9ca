"""What changed between two texts of a stage's key, in the words of the configuration."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kaiku import stages
from kaiku.selection import FEW_RECORDINGS
from kaiku.settings import Settings
from kaiku.store import manifests, scan

MANIFESTS = Path("data/manifests")

STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "segment_recordings": ("segment", ("corpus",)),
    "augment_segments": ("augment", ("corpus",)),
    "inherit_transcripts": ("inherit", ()),
    "transcribe_segments": ("transcribe", ("asr",)),
    "measure_segments": ("measures", ()),
    "measure_texts": ("text_measures", ("asr",)),
    "describe_clips": ("descriptions", ()),
    "compare_clips": ("comparisons", ()),
    "select_segments": ("select", ("dataset", "corpus")),
    "train_codec": ("fit_codec", ("codec",)),
    "encode_tokens": ("encode_shard", ("codec", "corpus")),
    "report_dataset": ("survey", ("dataset",)),
    "pass_gates": ("pass_gates", ("dataset",)),
    "pack_protos": ("pack", ("dataset", "codec")),
    "train_model": ("train", ("run",)),
    "merge_model": ("merge", ("run",)),
    "synthesize_samples": ("synthesize", ("run",)),
    "evaluate_model": ("evaluate", ("run",)),
    "write_report": ("report", ("run",)),
    "package_model": ("package", ("run",)),
    "export_dataset": ("export", ("export",)),
}
"""By rule: the function of `kaiku.stages` whose text it declares as its key, and what it is called with."""

_SUBJECTS = {
    "segment": "corpus {corpus}: segment",
    "augment": "corpus {corpus}: derived",
    "inherit": "corpus {corpus}",
    "transcribe": "asr {asr}: options",
    "measure": "check {check}",
    "measure_text": "check {check}",
    "describe": "check {check}",
    "compare": "check {check}",
    "select": "dataset {dataset}",
    "fit_codec": "codec {codec}: options",
    "encode": "codec {codec}: options",
    "survey": "report of dataset {dataset}",
    "pass_gates": "gates of dataset {dataset}",
    "pack": "dataset {dataset}",
    "export": "export {export}",
}
"""Whose settings a stage's parameters are, and under which of its settings they stand; else those of a run."""

_BY_CHECK = ("measure", "measure_text", "describe", "compare")
"""Stages whose key has a line for each check."""

_PLUGINS = {"check": "checks", "codec": "codecs", "asr": "asr", "run": "families", "export": "exports"}
"""Whose code a kind of plug-in is."""

_ABSENT = object()
_LONGEST = 60


def told(
    settings: Settings, dataset: str, corpus: str, shard: str, shards_of: Callable[[str], int]
) -> tuple[int | None, *tuple[str, ...]]:
    """What the key of a selection is told of manifests: shards of its dataset, where they matter, and speakers of its
    shard who took their consent back."""
    own = settings.datasets[dataset]
    by_hours = own.subset is not None and own.subset.hours is not None
    withdrawn = settings.corpora[corpus].consent.withdrawn
    path = manifests.audio_path(MANIFESTS / corpus, shard)
    shards = sum(map(shards_of, own.corpora)) if by_hours else None
    return shards, *(_speaking(path, path.stat().st_mtime_ns, withdrawn) if withdrawn and path.exists() else ())


@cache
def _speaking(path: Path, mtime_ns: int, speakers: tuple[str, ...]) -> tuple[str, ...]:
    """Read once for all datasets, and however often the workflow asks."""
    return tuple(manifests.speaking(path, speakers))


class PresentKeys:
    """The keys' texts that jobs would be recorded with now. recordings: in a corpus, as `recordings_told` has them."""

    def __init__(self, settings: Settings, recordings: Callable[[str], int] | None = None):
        self.settings = settings
        self._recordings = recordings or cache(lambda corpus: scan.read(MANIFESTS / corpus).recordings)
        self._shards = cache(lambda corpus: len(scan.read(MANIFESTS / corpus).shards))
        self._texts: dict[tuple, str] = {}

    def of(self, rule: str, names: Mapping[str, str]) -> str | None:
        """The text of a rule's job; None where the rule declares no key."""
        if rule not in STAGES:
            return None
        stage, wanted = STAGES[rule]
        call = (stage, *(names[name] for name in wanted), *(self._told_of_shard(names) if stage == "select" else ()))
        if call not in self._texts:
            found = getattr(stages, stage)(self.settings, *call[1:])
            self._texts[call] = found if isinstance(found, str) else found.text()
        return self._texts[call] + self._told(names["corpus"]) if stage == "select" else self._texts[call]

    def _told_of_shard(self, names: Mapping[str, str]) -> tuple[int | None, *tuple[str, ...]]:
        return told(self.settings, names["dataset"], names["corpus"], names.get("shard", ""), self._shards)

    def _told(self, corpus: str) -> str:
        """What `rules/dataset.smk` adds: above FEW_RECORDINGS all numbers are one."""
        found = self._recordings(self.settings.origin(corpus))
        return f" recordings={min(found or FEW_RECORDINGS + 1, FEW_RECORDINGS + 1)}"


def differences(before: str, now: str, names: Mapping[str, str]) -> list[str]:
    """What differs, one phrase each, in the order: settings, code, libraries. names: of the job (corpus, run...)."""
    old, new = _parsed(before), _parsed(now)
    if old is None or new is None:
        return [] if before == now else ["keys are written in another form"]
    phrases: list[str] = []
    for part in sorted(old.keys() | new.keys()):
        if part not in old or part not in new:
            phrases.append(f"check {part}: {'removed' if part in old else 'added'}")
        else:
            phrases += _of_stage(old[part], new[part], {**names, "check": part})
    return list(dict.fromkeys(phrases))


def parts(text: str, names: Mapping[str, str]) -> list[str]:
    """What a key's text consists of: the code with its versions, libraries, and whose settings."""
    found: dict[str, None] = {}
    for part, stage in (_parsed(text) or {}).items():
        subject = _SUBJECTS.get(stage["stage"], "run {run}").format_map(_Named({**names, "check": part}))
        found |= dict.fromkeys(f"code {module} {_short_version(version)}" for module, version in stage["code"].items())
        found |= dict.fromkeys(f"library {library} {version}" for library, version in stage["libraries"].items())
        found |= {f"settings of {subject.partition(': ')[0]}": None} if stage["params"] else {}
    return sorted(found)


def _parsed(text: str) -> dict[str, dict[str, Any]] | None:
    """The stages of a text, by check where it has one line each."""
    found = {}
    try:
        for line in text.splitlines():
            value, end = json.JSONDecoder().raw_decode(line)
            value["beside"] = line[end:].strip()
            found[value["params"].get("check", "") if value["stage"] in _BY_CHECK else ""] = value
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def _of_stage(old: dict[str, Any], new: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    subject, _, under = _SUBJECTS.get(new["stage"], "run {run}").format_map(_Named(names)).partition(": ")
    phrases = []
    if old.get("format") != new.get("format"):
        phrases.append(f"keys are made differently (format {old.get('format')} -> {new.get('format')})")
    for path, before, now in _differing(old["params"], new["params"], under):
        phrases.append(f"{subject}: {path} {_change(before, now)}")
    for module, before, now in _differing(old["code"], new["code"]):
        phrases.append(_of_code(subject, module, before, now))
    for library, before, now in _differing(old["libraries"], new["libraries"]):
        phrases.append(f"library {library} {_version_change(before, now)}")
    if old.get("weights") != new.get("weights"):
        phrases.append(f"{subject}: weights changed")
    if old["beside"] != new["beside"]:  # what a rule adds to its stage's text
        name, _, before = old["beside"].rpartition("=")
        phrases.append(f"{subject}: {name} {before} -> {new['beside'].rpartition('=')[2]}")
    return phrases


class _Named(dict):
    def __missing__(self, name: str) -> str:
        return "?"


def _differing(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted path, value before and value now of everything that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            where = f"{path}.{name}" if path and name not in ("dataset", "follow_data", "tokens") else name
            yield from _differing(old.get(name, _ABSENT), new.get(name, _ABSENT), where)
    elif old != new:
        yield path, old, new


def _of_code(subject: str, module: str, before: Any, now: Any) -> str:
    is_own = _PLUGINS.get(subject.partition(" ")[0], "?") in module.split(".")
    if before is _ABSENT or now is _ABSENT:
        what = f"{subject}: {module}" if is_own else f"code of {module}"
        return f"{what} counts {'now' if before is _ABSENT else 'no more'}"
    versions = f"({_short_version(before)} -> {_short_version(now)})"
    return f"{subject}: code changed {versions}" if is_own else f"code of {module} changed {versions}"


def _short_version(version: str) -> str:
    name, plus, digest = version.partition("+")
    return name + plus + digest[:6]


def _version_change(before: Any, now: Any) -> str:
    if before is _ABSENT:
        return f"{now} counts now"
    return "counts no more" if now is _ABSENT else f"{before} -> {now}"


def _change(before: Any, now: Any) -> str:
    if before is _ABSENT:
        return f"added: {_value(now)}"
    if now is _ABSENT:
        return f"removed (was {_value(before)})"
    return f"{_value(before)} -> {_value(now)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        shown = ", ".join(f"{name}: {_value(v)}" for name, v in value.items() if v not in (None, False, {}))
        return _short(f"{{{shown}}}")
    if isinstance(value, list):
        return _short(f"[{', '.join(map(_value, value))}]")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _short("none" if value is None else value if isinstance(value, str) else json.dumps(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
