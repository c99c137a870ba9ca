"""dvc.yaml and dvc.lock: what DVC carries between machines, stage by stage and file by file.

A stage is a rule; its outs are folders of artefacts (of a corpus, of a dataset and codec) or one artefact. dvc.yaml
names only outs that dvc.lock has contents for: of any other, `dvc pull` wants to delete what stands there, or fails.
dvc.lock lists the files of a folder one by one, a form that DVC reads and writes for remotes with versions, instead of
the digest of a list in DVC's cache: so git and `merging` see which shard changed without that cache.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import atomic

YAML = Path("dvc.yaml")
LOCK = Path("dvc.lock")
HEADER = """\
# What DVC carries between machines, one stage a rule: `dvc pull encode_tokens`. Written by `make snapshot`.
# `dvc repro` asks Snakemake, which knows what is stale, each time.
"""
_OUT_DEPTH = 4  # data/tokens/{codec}/{corpus}, data/protos/{dataset}/{codec}


@dataclass(frozen=True)
class Content:
    """One file's content as DVC knows it; size in bytes."""

    md5: str
    size: int


@dataclass
class Out:
    """What stands at one path of dvc.yaml: the rule that makes it, and files by name in it; "" is the path itself."""

    stage: str
    files: dict[str, Content] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return "" not in self.files


Outs = dict[str, Out]


def out_of(artefact: str, *, is_folder: bool) -> str:
    """The out that an artefact belongs to: shards by folder, a fitted codec as one, anything else by itself."""
    parts = PurePosixPath(artefact).parts
    if is_folder:
        return artefact
    if parts[0] == "data":
        return "/".join(parts[: min(_OUT_DEPTH, len(parts) - 1)])
    return "/".join(parts[:-1]) if parts[:2] == ("models", "codecs") else artefact


def command(stage: str) -> str:
    """What `dvc repro` calls for a stage."""
    return f"snakemake --cores all --until {stage}"


def yaml_text(outs: Outs, stages: Iterable[str] = ()) -> str:
    """dvc.yaml for some outs; `stages` stand in it even where they have none."""
    wanted = sorted({*stages, *(out.stage for out in outs.values())})
    content = {stage: {"cmd": command(stage), "always_changed": True} for stage in wanted}
    for path, out in sorted(outs.items()):
        content[out.stage].setdefault("outs", []).append({path: {"persist": True}})
    return HEADER + _dump({"stages": content})


def lock_text(outs: Outs) -> str:
    """dvc.lock for some outs."""
    stages: dict[str, Any] = defaultdict(list)
    for path, out in sorted(outs.items()):
        stages[out.stage].append({"path": path, "hash": "md5", **_lock_entry(out)})
    content = {stage: {"cmd": command(stage), "outs": stages[stage]} for stage in sorted(stages)}
    return _dump({"schema": "2.0", "stages": content})


def parse_yaml(text: str) -> dict[str, list[str]]:
    """Paths of outs by stage. Raises KaikuError where somebody else wrote into dvc.yaml, who would lose it."""
    content = _load(text, YAML)
    stages = content.pop("stages", None) or {}
    foreign = [*content, *(name for name, stage in stages.items() if stage.get("cmd") != command(name))]
    if foreign:
        raise KaikuError(
            f"{YAML}: {', '.join(map(str, foreign))} was not written by Kaiku",
            expected="nothing but what `make snapshot` writes",
            remedy="Put stages of your own into the dvc.yaml of another folder; DVC reads them all.",
        )
    return {name: [next(iter(out)) for out in stage.get("outs", ())] for name, stage in stages.items()}


def parse_lock(text: str, cache: Path = Path(".dvc/cache")) -> Outs:
    """Outs of a dvc.lock; `cache` is where lists of files lie for folders that DVC itself wrote in."""
    outs: Outs = {}
    for stage, own in (_load(text, LOCK).get("stages") or {}).items():
        for entry in own.get("outs", ()):
            outs[entry["path"]] = Out(stage, _files(entry, cache))
    return outs


def read(workspace: Path) -> tuple[Outs, list[str]]:
    """Outs that dvc.lock knows, and names of the stages in dvc.yaml; empty where there are no such files."""
    yaml, lock = workspace / YAML, workspace / LOCK
    stages = list(parse_yaml(yaml.read_text())) if yaml.exists() else []
    outs = parse_lock(lock.read_text(), workspace / ".dvc/cache") if lock.exists() else {}
    return outs, stages


def write(workspace: Path, outs: Outs, stages: Iterable[str] = ()) -> None:
    """Write both files where they differ."""
    atomic.write_text_if_changed(workspace / YAML, yaml_text(outs, stages))
    if outs or (workspace / LOCK).exists():
        atomic.write_text_if_changed(workspace / LOCK, lock_text(outs))


def _lock_entry(out: Out) -> dict[str, Any]:
    if not out.is_folder:
        return _as_dict(out.files[""])
    return {"files": [{"relpath": name, **_as_dict(out.files[name])} for name in sorted(out.files)]}


def _as_dict(content: Content) -> dict[str, Any]:
    return {"md5": content.md5, "size": content.size}


def _files(entry: Mapping[str, Any], cache: Path) -> dict[str, Content]:
    if "files" in entry:
        return {file["relpath"]: Content(file["md5"], file["size"]) for file in entry["files"]}
    md5 = entry["md5"]
    if not md5.endswith(".dir"):
        return {"": Content(md5, entry["size"])}
    listing = cache / "files/md5" / md5[:2] / md5[2:]
    if not listing.exists():
        raise KaikuError(
            f"{LOCK}: {entry['path']} was written by DVC itself, and its list of files is not in DVC's cache",
            remedy=f"Call `dvc fetch {entry['path']}`, then this again.",
        )
    return {file["relpath"]: _content_in(cache, file["md5"]) for file in json.loads(listing.read_bytes())}


def _content_in(cache: Path, md5: str) -> Content:
    path = cache / "files/md5" / md5[:2] / md5[2:]
    return Content(md5, path.stat().st_size if path.exists() else 0)


def _load(text: str, name: Path) -> dict[str, Any]:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except yaml.YAMLError as error:
        raise CorruptFile(
            f"{name} cannot be read ({' '.join(str(error).split())})",
            expected="YAML without marks of a conflict",
            remedy="After a merge call `make merge-locks`; else take it from git.",
        ) from error


def _dump(content: dict[str, Any]) -> str:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000)
