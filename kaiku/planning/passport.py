"""A clip's passport: where it comes from, how it was cut, what was heard, measured and decided, and where it went."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kaiku import plugins, stages
from kaiku.augmentation.sound import described
from kaiku.errors import CorruptFile
from kaiku.planning.finding import MANIFESTS, Place, clips_of
from kaiku.planning.verdicts import in_words
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import digest, manifests, rows
from kaiku.store.clips import audio_key
from kaiku.store.manifests import AudioRow
from kaiku.store.protos import clean_text, read_protos

DATA = Path("data")
Row = dict[str, Any]


def passport(settings: Settings, place: Place) -> dict[str, Any]:
    """All that is known of a clip, as JSON values; staleness apart (`kaiku.planning.staleness`)."""
    cut = _rows(DATA / "segments" / place.corpus, place, "clip")
    if not cut:
        return {**_head(settings, place), "segment": None}
    segment = cut[0]
    length_s = segment["end_s"] - segment["start_s"]
    tokens = [
        {**_tokens(settings, place, codec, segment), "seconds": length_s}
        for codec in settings.codecs
        if _exists(DATA / "tokens" / codec, place)
    ]
    decisions = [
        _decision(settings, place, dataset)
        for dataset, own in settings.datasets.items()
        if place.corpus in own.corpora and _exists(DATA / "selection" / dataset, place)
    ]
    return {
        **_head(settings, place),
        "segment": _segment(settings, place, segment),
        "transcripts": list(_transcripts(settings, place)),
        "measures": list(_measures(settings, place)),
        "decisions": decisions,
        "tokens": tokens,
        "packs": list(_packs(settings, place, segment, decisions, tokens)),
    }


def recording_passport(settings: Settings, place: Place) -> dict[str, Any]:
    """What is known of a recording, and its clips."""
    found = _rows(DATA / "segments" / place.corpus, place, "recording", place.recording)
    broken = [{"status": row["status"], "error": row["error"]} for row in found if not row["clip"]]
    return {**_head(settings, place), "clips": clips_of(place), "outcome": broken[0] if broken else None}


def _head(settings: Settings, place: Place) -> dict[str, Any]:
    own, row = settings.corpora[place.corpus], manifest_row(settings, place)
    return {
        "clip": place.clip,
        "recording": place.recording,
        "corpus": place.corpus,
        "shard": place.shard,
        "speaker": row.speaker if row else None,
        "language": row.language if row else None,
        "licence": own.licence,
        "source": _source(settings, place, row),
        "derived": f"made of {own.derived.of}: {described(own.derived)}" if own.derived else None,
    }


def manifest_row(settings: Settings, place: Place) -> AudioRow | None:
    """The recording as its manifest has it; None where it is not among the corpus' recordings any more."""
    path = manifests.audio_path(MANIFESTS / settings.origin(place.corpus), place.shard)
    listed = manifests.read_audio(path) if path.exists() else []
    return next((row for row in listed if row.recording == place.recording), None)


def _source(settings: Settings, place: Place, row: AudioRow | None) -> dict[str, Any]:
    if row is None:
        return {"state": "no longer among the corpus' recordings"}
    path = settings.corpus_root(place.corpus) / row.path
    state = "not on this machine"
    if path.is_file():
        same = path.stat().st_size == row.bytes and digest.of_file(path) == row.digest
        state = "there, as it was read" if same else "there, but changed since it was read"
    return {"path": str(path), "bytes": row.bytes, "digest": row.digest, "state": state}


def _segment(settings: Settings, place: Place, row: Row) -> dict[str, Any]:
    shown = ("start_s", "end_s", "recording_s", "sample_rate", "channels", "gain_db", "treatment", "peak", "digest")
    others = [r for r in _rows(DATA / "segments" / place.corpus, place, "recording", place.recording) if r["clip"]]
    before = [row["start_s"] - other["end_s"] for other in others if other["end_s"] <= row["start_s"]]
    after = [other["start_s"] - row["end_s"] for other in others if other["start_s"] >= row["end_s"]]
    return {
        **{name: row[name] for name in shown},
        "pause_before_s": min(before) if before else None,
        "pause_after_s": min(after) if after else None,
        "margin_ms": settings.corpora[place.corpus].segment.margin_ms if row["clip"] != row["recording"] else 0,
        "referenced": bool(row["path"]),
    }


def _transcripts(settings: Settings, place: Place) -> Iterator[dict[str, Any]]:
    shown = ("text_raw", "text", "confidence", "language", "status", "error")
    for asr in settings.asr:
        for row in _rows(DATA / "transcripts" / asr / place.corpus, place, "clip"):
            yield {"asr": asr, **{name: row[name] for name in shown}}


def _measures(settings: Settings, place: Place) -> Iterator[dict[str, Any]]:
    folders = [DATA / "measures", DATA / "comparisons", *(DATA / "text_measures" / asr for asr in settings.asr)]
    for row in (row for folder in folders for row in _rows(folder / place.corpus, place, "clip")):
        check = row["item"].rpartition(":")[2]
        known = plugins.find("checks", check).FIELDS if check in plugins.known("checks") else {}
        shown = {name: row[name] for name in ("measure", "value", "status", "error")}
        yield {"check": check, **shown, "meaning": known.get(row["measure"], "")}


def _decision(settings: Settings, place: Place, dataset: str) -> dict[str, Any]:
    row = _rows(DATA / "selection" / dataset / place.corpus, place, "clip")[0]
    facts = {m["measure"]: m["value"] for m in _measures(settings, place)}
    confidence = {t["asr"]: t["confidence"] for t in _transcripts(settings, place)}
    facts |= {"duration_s": row["duration_s"], "confidence": confidence.get(settings.datasets[dataset].asr)}
    own = settings.datasets[dataset].of(place.corpus)
    words = in_words(row["reason"], facts, own.select, row["language"])
    warned = [in_words(code, facts, own.warn, row["language"]) for code in row["warnings"].split(",") if code]
    shown = {name: row[name] for name in ("kept", "reason", "split", "text", "review")}
    return {"dataset": dataset, **shown, "words": words, "warnings": warned}


def _tokens(settings: Settings, place: Place, codec: str, segment: Row) -> dict[str, Any]:
    row = _rows(DATA / "tokens" / codec / place.corpus, place, "clip")[0]
    shown = {name: row[name] for name in ("status", "error", "first", "frames")}
    path = DATA / "tokens" / codec / place.corpus / f"{place.shard}.npy"
    codes = np.load(path, mmap_mode="r") if path.exists() else None
    return {"codec": codec, **shown, "codebooks": None if codes is None else int(codes.shape[1])} | {
        "adopted_from": _given_file(settings, place, segment, row["key"])
    }


def _given_file(settings: Settings, place: Place, segment: Row, key: str) -> str | None:
    """The file that came with the corpus of which tokens with this key were made; None where they were encoded."""
    path = manifests.tokens_path(MANIFESTS / place.corpus, place.shard)
    for given in manifests.read_tokens(path) if path.exists() else ():
        if given.recording == place.recording:
            made_of_it = stages.adopt(settings, place.corpus).item(audio_key(segment), given.digest)
            return str(settings.corpus_root(place.corpus) / given.path) if made_of_it == key else None
    return None


def _packs(settings: Settings, place: Place, segment: Row, decisions: list, tokens: list) -> Iterator[dict[str, Any]]:
    """Packs of the clip's datasets and codecs; a pack names no clips, so it is looked for by its text and codes."""
    encoded = {row["codec"]: row for row in tokens if row["status"] == rows.STATUS_OK}
    for decision in decisions:
        for codec, row in encoded.items() if decision["kept"] else ():
            dataset, split = decision["dataset"], decision["split"]
            path = DATA / "protos" / dataset / codec / split / f"{place.corpus}-{place.shard}.protos"
            if path.exists():
                codes = np.load(DATA / "tokens" / codec / place.corpus / f"{place.shard}.npy", mmap_mode="r")
                wanted = codes[row["first"] : row["first"] + row["frames"]]
                at = _position(path, segment["speaker"], decision["text"], wanted)
                yield {"path": str(path), "dataset": dataset, "codec": codec, "split": split, "position": at}


def _position(path: Path, speaker: str, text: str, codes: np.ndarray) -> int | None:
    for number, sentence in enumerate(read_protos(path)):
        is_it = sentence.speaker == speaker and sentence.text == clean_text(text)
        if is_it and np.array_equal(sentence.codes, codes):
            return number
    return None


def _exists(folder: Path, place: Place) -> bool:
    return bool(_rows(folder / place.corpus, place, "clip"))


def _rows(folder: Path, place: Place, column: str, value: str = "") -> list[Row]:
    """Rows of a shard's artefact whose column holds a value, the clip by default."""
    path = folder / f"{place.shard}.parquet"
    if not path.is_file() or not path.stat().st_size:
        return []
    try:
        found = rows.read(path).to_pylist()
    except CorruptFile as error:
        log(f"left out: {error}")
        return []
    return [row for row in found if row[column] == (value or place.clip)]
