"""What heard a speaker: datasets, packs, codecs and models, by what they say themselves, and what to take back.

What stands here counts, whether the configuration still names it or not.
"""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kaiku.errors import KaikuError
from kaiku.settings import Settings
from kaiku.store import manifests, rows, scan
from kaiku.store.protos import read_groups
from kaiku.store.shards import shard_name

MANIFESTS, SELECTION, PROTOS = Path("data/manifests"), Path("data/selection"), Path("data/protos")
UNKNOWN = "trained before speakers were recorded: retrain it, or treat it as if it had"


def heard(settings: Settings, speaker: str, corpus: str | None = None) -> dict[str, Any]:
    """All that holds or heard a speaker. corpus: where the name is one of several people's.

    Raises KaikuError where nothing ever named such a speaker. Models and codecs know speakers by name alone.
    """
    corpora = {name: shards for name in _corpora(settings, corpus) if (shards := _recordings(name, speaker))}
    datasets = [
        found for name in _here(settings.datasets, "data/selection/*") for found in _selected(name, speaker, corpus)
    ]
    packs = [found for name in _here(settings.datasets, "data/protos/*") for found in _packed(name, speaker, corpus)]
    fitted = [name for name, own in settings.codecs.items() if own.dataset]
    codecs = {name: _codec(name, speaker) for name in _here(fitted, "models/codecs/*")}
    models = _models(settings, speaker, {(pack["dataset"], pack["codec"]) for pack in packs})
    known = corpora or datasets or packs or any(found["heard"] for found in (*codecs.values(), *models.values()))
    if not known:
        raise KaikuError(
            f"no recording, selection, pack or model knows a speaker {speaker!r}" + (f" of {corpus}" if corpus else ""),
            **_near(settings, speaker),
        )
    return {
        "speaker": speaker,
        "corpora": [
            {
                "corpus": name,
                "recordings": sum(shards.values()),
                "shards": sorted(shards),
                "withdrawn": name in settings.corpora and speaker in settings.corpora[name].consent.withdrawn,
            }
            for name, shards in corpora.items()
        ],
        "datasets": datasets,
        "packs": packs,
        "codecs": [{"codec": name, **found} for name, found in codecs.items() if found["heard"] is not False],
        "models": [{"run": name, **found} for name, found in models.items() if found["heard"] is not False],
        "take_back": [
            *(path for name, found in models.items() if found["heard"] is not False for path in _given(name)),
            *_exported(
                settings, {own["dataset"] for own in datasets if any(fate.startswith("kept") for fate in own["fates"])}
            ),
        ],
    }


def _here(configured: Iterable[str], pattern: str) -> list[str]:
    """Names that are configured, and those of folders that stand here."""
    return sorted({*configured, *(path.name for path in Path().glob(pattern) if path.is_dir())})


def _corpora(settings: Settings, corpus: str | None) -> list[str]:
    if corpus is not None and corpus not in settings.corpora:
        raise KaikuError(f"CORPUS={corpus}: no such corpus", expected=f"one of {', '.join(settings.corpora)}")
    return [corpus] if corpus else _here(settings.corpora, f"{MANIFESTS}/*")


def _recordings(corpus: str, speaker: str) -> dict[str, int]:
    """Recordings of a speaker by shard."""
    found = {}
    for number in range(scan.pinned_shards(MANIFESTS / corpus) or 0):
        path = manifests.audio_path(MANIFESTS / corpus, shard_name(number))
        if manifests.speaking(path, [speaker]):
            found[shard_name(number)] = sum(row.speaker == speaker for row in manifests.read_audio(path))
    return found


def _near(settings: Settings, speaker: str) -> dict[str, str]:
    names: set[str] = set()
    for corpus in settings.corpora:
        for number in range(scan.pinned_shards(MANIFESTS / corpus) or 0):
            path = manifests.audio_path(MANIFESTS / corpus, shard_name(number))
            names |= {row.speaker for row in manifests.read_audio(path)} if path.exists() else set()
    near = difflib.get_close_matches(speaker, names, 3)
    return {"expected": f"one of {', '.join(near)}" if near else f"one of the {len(names)} speakers of the manifests"}


def _whole(folder: Path, pattern: str) -> list[Path]:
    """Files that hold anything: what a failed job leaves in the place of its output is empty."""
    return sorted(path for path in folder.glob(pattern) if path.stat().st_size)


def _selected(dataset: str, speaker: str, corpus: str | None) -> Iterator[dict[str, Any]]:
    """The speaker's clips in a dataset as it was decided last, by corpus."""
    for name in sorted(path.name for path in (SELECTION / dataset).glob(corpus or "*")):
        fates: Counter[str] = Counter()
        for path in _whole(SELECTION / dataset / name, "[0-9]*.parquet"):
            table = rows.read(path, columns=["speaker", "split", "reason"]).to_pylist()
            fates.update(row["reason"] or f"kept: {row['split']}" for row in table if row["speaker"] == speaker)
        if fates:
            yield {"dataset": dataset, "corpus": name, "clips": fates.total(), "fates": dict(sorted(fates.items()))}


def _packed(dataset: str, speaker: str, corpus: str | None) -> Iterator[dict[str, Any]]:
    for path in _whole(PROTOS / dataset, "*/*/*.protos"):
        mine = [group for group in read_groups(path) if group.speaker == speaker and corpus in (None, group.source)]
        if mine:
            sentences = sum(len(group.sentences) for group in mine)
            codec, split = path.parts[-3:-1]
            yield {"path": str(path), "dataset": dataset, "codec": codec, "split": split, "sentences": sentences}


def _codec(codec: str, speaker: str) -> dict[str, Any]:
    """Whether a codec was fitted to clips of the speaker; heard is None where it does not say."""
    told = _whole(Path("models/codecs") / codec, "metrics.json")
    if not told:
        return {"heard": False, "how": "not fitted yet"}
    speakers = json.loads(told[0].read_text()).get("speakers")
    if speakers is None:
        return {"heard": None, "how": "fitted before speakers were recorded"}
    clips = speakers.get(speaker, 0)
    return {"heard": bool(clips), "how": f"fitted to {clips} of their clips; follow_data: true fits it again"}


def _models(settings: Settings, speaker: str, packed: set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """What each trained run has to do with the speaker; heard is None where its record does not say."""
    found: dict[str, dict[str, Any]] = {}
    for path in _whole(Path("models"), "*/checkpoints/run.json"):
        run = path.parts[1]
        own = settings.runs.get(run)
        speakers = json.loads(path.read_text()).get("speakers")
        clips = {split: counts.get(speaker, 0) for split, counts in (speakers or {}).items()}
        if speakers is None:
            may_have = own is None or (own.dataset, own.codec) in packed
            found[run] = {"heard": None if may_have else False, "how": UNKNOWN}
        elif clips.get("train"):
            found[run] = {"heard": True, "how": f"trained on {clips['train']} of their clips"}
        else:
            held = clips.get("val", 0)
            found[run] = {"heard": bool(held), "how": f"chosen by {held} held-out clips of theirs, not trained on"}
    return {run: _through(settings, run, found) for run in found}


def _through(settings: Settings, run: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Where the run itself did not hear them: a model before it that did."""
    before = next((name for name in _lineage(settings, run)[1:] if found.get(name, {}).get("heard")), None)
    if before and not found[run]["heard"]:
        return {"heard": True, "how": f"through {before}, which it was made from"}
    return found[run]


def _lineage(settings: Settings, run: str) -> list[str]:
    """A run and those that it was made from, as its model says where the configuration does not name it."""
    if run in settings.runs:
        return settings.lineage(run)
    told = _whole(Path("models", run, "merged"), "metadata.json")
    return json.loads(told[0].read_text())["lineage"] if told else [run]


def _exported(settings: Settings, datasets: set[str]) -> Iterator[str]:
    """Exports of datasets that keep the speaker, and those of which the configuration does not say what they hold."""
    for path in sorted(Path("dist/exports").glob("*")):
        own = settings.exports.get(path.name)
        if own is None or own.dataset in datasets:
            yield str(path)


def _given(run: str) -> Iterator[str]:
    """What of a run may have been handed over, or holds voices."""
    paths = (Path("dist") / f"{run}.tar.gz", Path("results") / run / "samples", Path("results") / run / "report.html")
    yield from (str(path) for path in paths if path.exists())


def page(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"Speaker {found['speaker']}"]
    for row in found["corpora"]:
        state = "withdrawn" if row["withdrawn"] else "not withdrawn"
        shards = ", ".join(row["shards"])
        lines.append(f"  corpus {row['corpus']}: {row['recordings']} recordings in shards {shards}; consent {state}")
    for row in found["datasets"]:
        fates = ", ".join(f"{fate} {count}" for fate, count in row["fates"].items())
        lines.append(f"  dataset {row['dataset']}, corpus {row['corpus']}: {row['clips']} clips ({fates})")
    lines += [f"  pack {row['path']}: {row['sentences']} sentences" for row in found["packs"]]
    for kind in ("codec", "run"):
        for row in found["codecs" if kind == "codec" else "models"]:
            verb = "heard them" if row["heard"] else "may have heard them"
            lines.append(f"  {kind} {row[kind]} {verb}: {row['how']}")
    lines += [f"  take back: {path}" for path in found["take_back"]]
    if not found["models"] and not found["codecs"]:
        lines.append("  no codec or model here heard them")
    open_to = [row["corpus"] for row in found["corpora"] if not row["withdrawn"]]
    if open_to:
        consents = " and ".join(f"corpora.{corpus}.consent: {{withdrawn: [{found['speaker']}]}}" for corpus in open_to)
        lines.append(f"To take them out: {consents}, then `make plan`.")
    elif found["corpora"]:
        lines.append("Their recordings are still there: remove the files, and clips and tokens of them go too.")
    return "\n".join(lines)
