"""A dataset's kept clips as an export's format takes them, gathered from a workspace's tables shard by shard."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from kaiku import plugins
from kaiku.audio.resample import resample
from kaiku.errors import KaikuError
from kaiku.exports import About, Corpus, ExportClip, Recording
from kaiku.exports._licences import licences, warnings
from kaiku.exports._names import Names, speaker_names
from kaiku.exports._texts import both_forms
from kaiku.progress import log, track
from kaiku.settings import Settings, plugin_settings
from kaiku.store import digest, rows
from kaiku.store.artefacts import SELECTION, TOKENS, TRANSCRIPTS
from kaiku.store.clips import ClipStore, audio_key
from kaiku.store.containers import Npy, read_npy_shape
from kaiku.text.language import as_tagged

TURNED_DOWN = "turned_down.tsv"


@dataclass(frozen=True)
class Shard:
    """A shard of a dataset's corpus."""

    corpus: str
    name: str
    selection: Path

    def path(self, folder: str, suffix: str) -> Path:
        """An artefact of the shard."""
        return Path("data") / folder / self.corpus / f"{self.name}{suffix}"


@dataclass
class _Seen:
    """What the selections hold for an export. clips, seconds: by split; people: corpus and speaker."""

    clips: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    recordings: Counter[Recording] = field(default_factory=Counter)
    people: dict[tuple[str, str], None] = field(default_factory=dict)
    without_tokens: int = 0


class Exporting:
    """One export of a workspace. selections: of all shards of its dataset, as the workflow names them."""

    def __init__(self, settings: Settings, name: str, selections: Sequence[Path]):
        self.settings, self.name, self.own = settings, name, settings.exports[name]
        self.dataset = settings.datasets[self.own.dataset]
        # The last parts name corpus and shard wherever a file stands: what is decided ahead of a run lies aside.
        self.shards = [Shard(path.parent.name, path.stem, path) for path in selections]

    def write(self, folder: Path) -> None:
        """Fill a folder that is not there yet. Raises KaikuError where no clip was kept."""
        about = self.about
        for sentence in self._remarks():
            log(sentence)
        if not sum(about.clips.values()):
            raise KaikuError(
                f"dataset {self.own.dataset}: no clip is kept in {' or '.join(self.own.splits)}",
                expected="at least one to export",
                remedy="Look at the reasons in its report, and loosen what drops them.",
            )
        folder.mkdir()
        module = plugins.find("exports", self.own.format)
        options = plugin_settings("exports", self.own.format, self.own.options, f"exports.{self.name}.options")
        turned_down: list[tuple[str, float]] = []
        total = sum(about.clips.values())
        clips = track(self._clips(lambda clip, db: turned_down.append((clip, db))), total=total, label="export_dataset")
        module.write(self._with_text(clips) if module.NEEDS_TEXT else clips, about, folder, options)
        (folder / "LICENCES").write_text(licences(about), encoding="utf-8")
        if turned_down:
            lines = ["clip\tgain_db", *(f"{clip}\t{gain_db:.2f}" for clip, gain_db in turned_down)]
            (folder / TURNED_DOWN).write_text("\n".join(lines) + "\n", encoding="utf-8")
            log(f"{len(turned_down)} clips had peaks above full scale and are turned down: {TURNED_DOWN}")

    @cached_property
    def about(self) -> About:
        """What is known before the first clip is read."""
        corpora = [self.settings.corpora[name] for name in self.dataset.corpora]
        named = tuple(
            Corpus(name, own.language, own.licence) for name, own in zip(self.dataset.corpora, corpora, strict=True)
        )
        seen = self._seen
        return About(self.name, self.own.dataset, named, seen.clips, seen.seconds, seen.recordings)

    def content(self) -> str:
        """A digest of all that stands in the export: names, texts, and what stands for audio and tokens."""
        running = digest.Running(digest.canonical([vars(corpus) for corpus in self.about.corpora]).encode())
        names = Names()
        for shard in self.shards:
            for said, segment, token in self._said(shard, names):
                heard = [audio_key(segment), segment["sample_rate"], token and token["digest"]]
                running.update(digest.canonical([said, heard]).encode())
        return running.hex()

    @cached_property
    def _seen(self) -> _Seen:
        seen = _Seen()
        for shard in self.shards:
            kept, without_tokens = self._chosen(shard)
            seen.without_tokens += len(without_tokens)
            for row in kept:
                seen.clips[row["split"]] += 1
                seen.seconds[row["split"]] += row["duration_s"]
                seen.people[self._person(shard.corpus, row)] = None
                if row["split"] == "train" and not self._derived(shard.corpus):
                    seen.recordings[self._recording(shard.corpus, row)] += row["duration_s"]
        return seen

    @cached_property
    def _speakers(self) -> tuple[dict[tuple[str, str], str], list[str]]:
        return speaker_names(self._seen.people, self.own.speakers)

    def _remarks(self) -> Iterator[str]:
        """What must be said aloud."""
        if left_out := self._seen.without_tokens:
            yield f"{left_out} kept clips have no tokens of {self.own.codec} and are left out"
        speakers, nobodys = self._speakers
        for name in nobodys:
            near = plugins.did_you_mean(name, [speaker for _, speaker in speakers])
            yield f"exports.{self.name}.speakers.{name}: no clip of the export is of that speaker{near}"
        yield from warnings(self.about)

    def _chosen(self, shard: Shard) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of a selection that go out, and those that lack the tokens they would go out with."""
        found = rows.read(shard.selection, SELECTION).to_pylist()
        found = [row for row in found if row["kept"] and row["split"] in self.own.splits]
        if not self.own.codec:
            return found, []
        encoded = self._tokens(shard)
        return [row for row in found if row["clip"] in encoded], [row for row in found if row["clip"] not in encoded]

    def _joined(self, shard: Shard) -> Iterator[tuple[dict, dict, dict, dict | None]]:
        """Each clip that goes out with its row of segments, of transcripts and of tokens."""
        kept, _ = self._chosen(shard)
        if not kept:
            return
        segments = {row["clip"]: row for row in self._store(shard)}
        transcripts = _by_clip(shard.path(f"transcripts/{self.dataset.asr}", ".parquet"), TRANSCRIPTS)
        tokens = self._tokens(shard) if self.own.codec else {}
        for row in kept:
            clip = row["clip"]
            if clip not in segments or clip not in transcripts:
                raise KaikuError(
                    f"{shard.selection}: clip {clip} is not in the segments or transcripts of its shard",
                    remedy="They are of different states; run the workflow again.",
                )
            yield row, segments[clip], transcripts[clip], tokens.get(clip)

    def _clips(self, turned_down: Any) -> Iterator[ExportClip]:
        names = Names()
        for shard in self.shards:
            store = self._store(shard)
            read_codes = self._codes(shard) if self.own.codec else None
            for said, segment, token in self._said(shard, names):
                codes = partial(read_codes, token["first"], token["frames"]) if read_codes and token else None
                yield ExportClip(**said, read=partial(_read, store, segment), turned_down=turned_down, codes=codes)

    def _said(self, shard: Shard, names: Names) -> Iterator[tuple[dict[str, Any], dict, dict | None]]:
        """What an export says of each clip beside its sound, with its row of segments and of tokens."""
        several, takes_raw = len(self.dataset.corpora) > 1, self.dataset.text == "raw"
        speakers, _ = self._speakers
        for row, segment, transcript, token in self._joined(shard):
            clip, final, language = row["clip"], row["text"] or "", row["language"] or "und"
            texts = (transcript[name] or "" for name in ("text_raw", "text"))
            spelt = as_tagged(transcript["language"] or language, language)
            raw, normalised = both_forms(final, *texts, takes_raw=takes_raw, language=spelt)
            said = {
                "name": names.of((shard.corpus, clip), f"{shard.corpus}_{clip}" if several else clip),
                "corpus": shard.corpus,
                "clip": clip,
                "recording": self._recording(shard.corpus, row),
                "derived": self._derived(shard.corpus),
                "speaker": speakers[self._person(shard.corpus, row)],
                "language": language,
                "licence": self.settings.corpora[shard.corpus].licence,
                "split": row["split"],
                "text": final,
                "text_raw": raw,
                "text_normalised": normalised,
            }
            yield said, segment, token

    def _with_text(self, clips: Iterator[ExportClip]) -> Iterator[ExportClip]:
        for clip in clips:
            if not clip.text.strip():
                raise KaikuError(
                    f"clip {clip.clip} of {clip.corpus} has no text",
                    expected=f"a text, which {self.own.format} needs for each clip",
                    remedy="Give it one, or leave the clip out.",
                )
            yield clip

    def _store(self, shard: Shard) -> ClipStore:
        paths = (shard.path("segments", suffix) for suffix in (".parquet", ".tar"))
        return ClipStore(*paths, self.settings.corpus_root(shard.corpus))

    def _tokens(self, shard: Shard) -> dict[str, dict[str, Any]]:
        found = _by_clip(shard.path(f"tokens/{self.own.codec}", ".parquet"), TOKENS)
        return {clip: row for clip, row in found.items() if row["status"] == rows.STATUS_OK}

    def _codes(self, shard: Shard):
        path = shard.path(f"tokens/{self.own.codec}", ".npy")
        width = read_npy_shape(path)[1]
        read = Npy(width).open(path)
        return lambda first, frames: np.frombuffer(read(first, frames), "<u2").reshape(frames, width)

    def _recording(self, corpus: str, row: dict[str, Any]) -> Recording:
        return self.settings.origin(corpus), row["recording"]

    def _person(self, corpus: str, row: dict[str, Any]) -> tuple[str, str]:
        return self.settings.origin(corpus), row["speaker"] or ""

    def _derived(self, corpus: str) -> bool:
        return self.settings.corpora[corpus].derived is not None


def _by_clip(path: Path, schema: Any) -> dict[str, dict[str, Any]]:
    return {row["clip"]: row for row in rows.read(path, schema).to_pylist() if row["clip"]}


def _read(store: ClipStore, row: dict[str, Any], sample_rate: int | None) -> tuple[np.ndarray, int]:
    audio = store.audio(row)
    rate = sample_rate or audio.sample_rate
    return resample(audio.samples, audio.sample_rate, rate), rate
