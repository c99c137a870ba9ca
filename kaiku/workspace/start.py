"""The start of every Snakemake call: settings, lock, repaired records, fresh manifests, and the first line."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import kaiku
from kaiku import fetch, plugins, stages
from kaiku import settings as configuration
from kaiku.collect import table
from kaiku.collect.settings import CollectSettings
from kaiku.errors import NO_ROOM, NO_WRITING, CorruptFile, KaikuError, of_system
from kaiku.fetch import consent, subset
from kaiku.layouts import Recording
from kaiku.loading import CODEC_FILES, check_files, codec_folder, is_fitted
from kaiku.planning import foresight
from kaiku.review import files as review
from kaiku.sections import CorpusSettings
from kaiku.settings import Settings, layout_settings
from kaiku.store import atomic, digest, scan
from kaiku.store.scan import Scanned
from kaiku.store.shards import shard_name
from kaiku.workspace import before, changes, lock, provenance
from kaiku.workspace.reconcile import Ledger, Verdicts

MANIFESTS = Path("data/manifests")
RESOLVED = Path("work/settings.json")
RESHARDING, RESHARDED = Path("work/reshard"), "ready.json"
"""Where another number of shards is prepared, by corpus, and the mark that all of it is there to be put in place."""
UNFETCHED_SHARDS = 8
"""Shards of a corpus that is not there yet and whose configuration names no number."""


@dataclass(frozen=True)
class Workspace:
    """A workspace as the rules see it.

    scanned: by corpus; unfetched: corpora still to be fetched; fitted: codecs that stand there as configured;
    ledger: what is attested, in the process that may run jobs.
    """

    settings: Settings
    scanned: Mapping[str, Scanned]
    unfetched: tuple[str, ...]
    fitted: tuple[str, ...]
    ledger: Ledger | None

    @property
    def locked(self) -> bool:
        """True where this process may run jobs."""
        return self.ledger is not None

    def shards(self, corpus: str) -> list[str]:
        """Shards of a corpus (of a derived one, of its source) that hold recordings; all where it is to be fetched."""
        corpus = self.settings.origin(corpus)
        if corpus in self.unfetched:
            return [shard_name(n) for n in range(planned_shards(self.settings.corpora[corpus]))]
        return list(self.scanned[corpus].shards)

    def recordings(self, corpus: str) -> int:
        """Recordings in a corpus; 0 where it is still to be fetched."""
        corpus = self.settings.origin(corpus)
        return 0 if corpus in self.unfetched else self.scanned[corpus].recordings

    def before_jobs(self) -> None:
        """Link artefacts aside before Snakemake deletes them."""
        self.ledger.relinked(before.link_artefacts())

    def after_jobs(self) -> None:
        """Attest what the jobs made."""
        self.ledger.observe()


def start(config: dict[str, Any], *, main_process: bool) -> Workspace:
    """Open the workspace in the current folder; the main process alone scans and repairs, and only under the lock.

    Ends the process with one plain sentence where the configuration or a corpus is at fault.
    """
    try:
        return _start(config, main_process)
    except KaikuError as error:
        raise SystemExit(f"kaiku: {error}") from None
    except OSError as error:
        if error.errno not in (*NO_ROOM, *NO_WRITING):
            raise
        raise SystemExit(f"kaiku: {of_system(error)}") from None


def is_absent(root: Path) -> bool:
    """True where a corpus' folder is not there, or holds nothing."""
    return not root.exists() or (root.is_dir() and not any(root.iterdir()))


def planned_shards(own: CorpusSettings) -> int:
    """Number of shards that the jobs of a corpus are planned for before it is fetched."""
    return own.shards or UNFETCHED_SHARDS


def scan_corpus(settings: Settings, corpus: str, *, shards: int | None = None) -> Scanned:
    """Bring one corpus' manifests up to date with its folder.

    shards: number for the first scan; by default that of the configuration, else by size.
    """
    own, root = settings.corpora[corpus], settings.corpus_root(corpus)
    if own.derived:
        raise KaikuError(
            f"{corpus} is derived from {own.derived.of}: it has no recordings to scan", remedy=f"Scan {own.derived.of}."
        )
    discover = plugins.find("layouts", own.layout).discover
    left_out = subset.left_out(root)
    return scan.scan(
        root,
        MANIFESTS / corpus,
        Path("work/stat") / f"{corpus}.pickle",
        partial(_discover, discover, layout_settings(settings, corpus), left_out),
        shards=shards or own.shards,
        how=stages.scan(settings, corpus).text() + (f" {digest.of_value(sorted(left_out))}" if left_out else ""),
        tokens=own.tokens.suffix if own.tokens else "",
    )


def fitted_codecs(settings: Settings) -> tuple[str, ...]:
    """Codecs that are fitted here and stand there as configured."""
    return tuple(name for name, own in settings.codecs.items() if own.dataset and is_fitted(settings, name))


def settled_outputs(settings: Settings, fitted: tuple[str, ...]) -> list[str]:
    """Outputs that do not follow their inputs any more: of fitted codecs, unless they are to follow their data."""
    kept = [name for name in fitted if not settings.codecs[name].follow_data]
    return [f"{codec_folder(settings, name)}/{file}" for name in kept for file in CODEC_FILES]


def _start(config: dict[str, Any], main_process: bool) -> Workspace:
    settings = configuration.load(config)
    used = sorted({settings.origin(corpus) for own in settings.datasets.values() for corpus in own.corpora})
    unfetched = tuple(corpus for corpus in used if _is_unfetched(settings, corpus))
    ledger = _open_ledger() if main_process and lock.acquire(Path("work/run.lock")) else None
    if ledger:
        _check_resharding()
        atomic.write_text_if_changed(RESOLVED, json.dumps(settings.model_dump(mode="json"), indent=1) + "\n")
    _check_obtained(settings, [corpus for corpus in used if corpus not in unfetched])
    look = partial(scan_corpus, settings) if ledger else _as_it_stands
    scanned = {corpus: look(corpus) for corpus in used if corpus not in unfetched}
    if main_process:
        _check_bases(settings)
        _check_noises(settings)
        _say(settings, scanned, unfetched)
        for line in foresight.warnings(settings, scanned):
            print(f"  {line}", file=sys.stderr)
    fitted = fitted_codecs(settings)
    if ledger:
        for corpus in scanned:
            _say_settled(corpus, review.settle(corpus))
        _say_verdicts(_reconcile(ledger, settings, fitted))
        for line in changes.lines(settings, scanned):
            print(f"  {line}", file=sys.stderr)
    return Workspace(settings, scanned, unfetched, fitted, ledger)


def _open_ledger() -> Ledger:
    """Failures repaired and finished jobs attested, before anything looks at the recordings."""
    provenance.repair_hidden_failures()
    ledger = Ledger()
    ledger.observe()
    return ledger


def _reconcile(ledger: Ledger, settings: Settings, fitted: tuple[str, ...]) -> Verdicts:
    """Compare what stands here with what is attested; codecs that do not follow their data name no inputs any more."""
    settled = settled_outputs(settings, fitted)
    verdicts = ledger.reconcile(settled)
    provenance.forget_inputs(settled)
    return verdicts


def _as_it_stands(corpus: str) -> Scanned:
    return scan.read(MANIFESTS / corpus)


def _discover(discover: Any, options: Any, left_out: frozenset[str], files: Any, read: Any) -> Any:
    """What a layout finds; files that a fetch left out are known to it, so that texts which name them are no fault."""
    found = discover([*files, *left_out], read, options) if left_out else discover(files, read, options)
    return (f for f in found if not (isinstance(f, Recording) and f.path in left_out))


def _is_unfetched(settings: Settings, corpus: str) -> bool:
    own = settings.corpora[corpus]
    return bool(own.source or own.collect) and not _was_scanned(corpus) and is_absent(settings.corpus_root(corpus))


def _was_scanned(corpus: str) -> bool:
    return (MANIFESTS / corpus / "corpus.json").exists()


def _check_obtained(settings: Settings, corpora: list[str]) -> None:
    """A corpus of the catalogue that one has to come by oneself says how, where its folder is not there yet."""
    for name in corpora:
        own = settings.corpora[name]
        if own.catalog and not _was_scanned(name) and is_absent(settings.corpus_root(name)):
            from kaiku.fetch import catalog

            entry = catalog.find("corpora", own.catalog, f"corpora.{name}.catalog").entry
            raise KaikuError(
                f"corpora.{name}: {settings.corpus_root(name)} is not there, and {entry.title} cannot be fetched",
                remedy=f"{entry.by_hand or 'Give its folder as `path:`.'} See {entry.page}.",
            )


def _check_resharding() -> None:
    """Half of a corpus' files under its old shards and half under its new ones would be taken for edits of both."""
    for mark in RESHARDING.glob(f"*/{RESHARDED}"):
        shards = json.loads(mark.read_text())["after"]
        raise KaikuError(
            f"corpus {mark.parent.name} was being spread over {shards} shards when that was interrupted",
            remedy=f"Finish it: make reshard CORPUS={mark.parent.name} SHARDS={shards}",
        )


def _check_bases(settings: Settings) -> None:
    """A base that is given by path must be there: Snakemake says "nothing to be done" of a missing leaf."""
    for name, base in settings.bases.items():
        if base.source is None and not settings.base_root(name).is_dir():
            raise KaikuError(
                f"bases.{name}: {settings.base_root(name)} is not there",
                expected="a folder with the checkpoint",
                remedy="Mend `path:`, or give the base a `source:`.",
            )
    for check in settings.checks_that_need("audio"):
        reference = check_files(settings, check).get("reference")
        if reference is not None and not reference.is_file():
            raise KaikuError(
                f"checks.{check}.reference: {reference} is not there",
                expected="an audio file of the target speaker",
                remedy="Mend the path, or leave the check out.",
            )


def _check_noises(settings: Settings) -> None:
    """A folder of noise must be there, for the same reason."""
    for name in settings.derived_corpora():
        noise = settings.corpora[name].derived.noise
        if noise and noise.folder and not Path(noise.folder).expanduser().is_dir():
            raise KaikuError(
                f"corpora.{name}.derived.noise.folder: {noise.folder} is not there",
                expected="a folder of noise recordings",
                remedy="Mend the path, or take it out: noise is generated then.",
            )


def _say(settings: Settings, scanned: Mapping[str, Scanned], unfetched: tuple[str, ...]) -> None:
    corpora = [f"{name} ({found.recordings} recordings)" for name, found in scanned.items()]
    corpora += [f"{name} (to be fetched)" for name in unfetched]
    print(
        f"kaiku {kaiku.__version__}: system {settings.system}; corpora {', '.join(corpora) or 'none'}", file=sys.stderr
    )
    for name in scanned:
        _say_waiting(name, settings.corpora[name].collect)
    for error in _refusals(settings, unfetched):
        print(f"  Will not be fetched: {error}", file=sys.stderr)
    for name, found in scanned.items():
        if found.problems:
            print(
                f"  {name}: {found.problems} files or rows have problems: {MANIFESTS / name}/problems.tsv",
                file=sys.stderr,
            )


def _say_waiting(corpus: str, own: CollectSettings | None) -> None:
    """What of a list is not collected yet; a table that cannot be read, as after a merge, stops no run."""
    try:
        count = table.waiting(Path(own.sources), MANIFESTS / corpus / table.TABLE) if own else 0
    except CorruptFile as error:
        print(f"  {error}", file=sys.stderr)
        return
    if count:
        print(f"  {corpus}: {count} of {own.sources} not here yet: `make collect CORPUS={corpus}`", file=sys.stderr)


def _say_settled(corpus: str, settled: review.Settled) -> None:
    if settled.moved:
        print(f"  {corpus}: {settled.moved} decisions of the review went with renamed recordings", file=sys.stderr)
    if settled.homeless:
        gone = f"{settled.homeless} decisions of the review are about recordings that are not here as they were"
        print(f"  {corpus}: {gone}; `make review` lists them", file=sys.stderr)


def _refusals(settings: Settings, unfetched: tuple[str, ...]) -> list[KaikuError]:
    """What stands in the way of fetches to come, before anything else is computed."""
    found = []
    for name in unfetched:
        own = settings.corpora[name]
        found.append(consent.refusal(f"corpora.{name}", own.licence, own.accept_licence, own.source))
    for name, base in settings.bases.items():
        if base.source and not (settings.base_root(name) / fetch.RECORD).exists():
            found.append(consent.refusal(f"bases.{name}", base.licence, base.accept_licence, base.source))
    return [error for error in found if error]


def _say_verdicts(verdicts: Verdicts) -> None:
    if verdicts.restored:
        print(f"  {len(verdicts.restored)} artefacts are as kaiku.lock attests them", file=sys.stderr)
    for path in verdicts.modified:
        print(f"  {path} was modified: what depends on it will be made again", file=sys.stderr)
