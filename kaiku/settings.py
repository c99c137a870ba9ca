"""The whole configuration as one strict tree: what a user writes, with units and reasons."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from kaiku import plugins
from kaiku.adoption import GivenTokens
from kaiku.audio.segmentation import SegmentSettings
from kaiku.augmentation.settings import DerivedSettings
from kaiku.collect.settings import CollectSettings
from kaiku.complaints import NAME_PATTERN, complaints
from kaiku.errors import SettingsError
from kaiku.export_settings import ExportSettings
from kaiku.fetch import catalog
from kaiku.fetch.consent import check_accepted
from kaiku.fetch.source import Source
from kaiku.selection import ConsentSettings, DatasetSettings
from kaiku.strict import Strict, speed_only
from kaiku.synthesis import SynthesisSettings
from kaiku.train.settings import LoraSettings, MergeSettings, TrainSettings

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""Names of corpora, codecs, runs...: lower-case letters, digits and hyphens, since they are parts of paths."""

DEFAULT_CHECKS = ("duration", "level", "clipping", "speech", "hum", "snr", "plosive", "bandwidth")
"""Cheap, and without any model but the speech detector's."""

CHECKS_NEED = ("audio", "text", "corpus")
"""What a check can look at: a clip's audio, its text as well, or all clips of its corpus."""

NAMED_BY = {"layouts": "layout", "asr": "kind", "codecs": "kind", "families": "family", "exports": "format"}
"""The setting beside `options` that names a plug-in of a kind; a check is named by its key."""


INHERITED = ("language", "licence")
"""What a derived corpus has of the one it is made of."""


class CorpusSettings(Strict):
    """Recordings of one origin, licence and layout; or clips derived from those of another corpus."""

    catalog: str | None = Field(
        None,
        description="An entry of the catalogue (`make catalog`) that says what is not said here: source, layout, "
        "language, licence.",
    )
    path: str | None = Field(None, description="Folder of the recordings; default data/raw/{corpus}. Never written to.")
    derived: DerivedSettings | None = Field(
        None, description="Clips made of another corpus' clips. Besides, only `speaker` and `max_failed` can be set."
    )
    layout: str = Field(
        "",
        description="How files, texts and speakers lie in the folder: a module of kaiku/layouts; or as catalogued. "
        "Required.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the layout itself.")
    language: str = Field("und", description="BCP 47 tag of what is spoken, where the layout does not tell by clip.")
    speaker: str = Field("", description="Speaker of all recordings; empty: as the layout tells.")
    licence: str = Field(
        description="Licence of the recordings, or as catalogued; travels with every model that heard them."
    )
    accept_licence: str | None = Field(
        None,
        description="The licence's name again, by which you accept terms that ask something of you (no commercial use, "
        "the same licence for what is made, a place's own terms). Without it, nothing under such terms is fetched.",
    )
    source: Source | None = Field(None, description="Where to fetch the folder from when it is absent.")
    collect: CollectSettings | None = Field(
        None, description="What to collect from the web when the folder is absent, and by `make collect` afterwards."
    )
    shards: int | None = Field(None, ge=1, le=4096, description="Jobs per stage; pinned at the first scan by size.")
    tokens: GivenTokens | None = Field(
        None, description="Tokens that stand beside the recordings, which are then taken instead of encoding."
    )
    segment: SegmentSettings = Field(default_factory=SegmentSettings, description="How recordings become clips.")
    consent: ConsentSettings = Field(default_factory=ConsentSettings, description="Who of it may be heard.")
    max_failed: float = Field(
        0.05, ge=0, le=1, description="Share of a shard's items that may fail before its job does."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> "CorpusSettings":
        if self.source and self.collect:
            raise ValueError("give either source (one archive or repository) or collect (items of the web)")
        check_accepted(self.licence, self.accept_licence)
        if not self.derived and not self.layout:
            raise ValueError("layout is missing: name how the files lie, or with `derived` what the clips are made of")
        if self.derived:
            unset = CorpusSettings.model_construct()
            names = ("path", "layout", "options", "source", "collect", "tokens", "shards", "segment")
            idle = [name for name in names if getattr(self, name) != getattr(unset, name)]
            if idle:
                raise ValueError(f"{', '.join(idle)}: a derived corpus has no recordings of its own; take it out")
        return self


class AsrSettings(Strict):
    """A transcriber: `given` takes the texts that come with the corpus."""

    kind: str = Field(description="A module of kaiku/asr.")
    model: str | None = Field(None, description="A base model (`bases:`) that the transcriber loads.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the transcriber itself.")


class BaseSettings(Strict):
    """A base model: a folder of its own, or one that is fetched."""

    catalog: str | None = Field(
        None,
        description="An entry of the catalogue (`make catalog`) that says what is not said here: source and licence.",
    )
    path: str | None = Field(
        None, description="Folder of the checkpoint; default models/base/{name}. Never written to."
    )
    source: Source | None = Field(None, description="Where to fetch it from; it lands in models/base/{name}.")
    licence: str = Field(
        description="Licence of the weights, or as catalogued; travels with everything made from them."
    )
    accept_licence: str | None = Field(
        None,
        description="The licence's name again, by which you accept terms that ask something of you (no commercial use, "
        "the same licence for what is made, a place's own terms). Without it, nothing under such terms is fetched.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "BaseSettings":
        if self.path and self.source:
            raise ValueError("give either path (a folder of yours) or source (fetched into models/base/{name})")
        if self.source and self.source.hours:
            raise ValueError("source.hours belongs to a corpus")
        check_accepted(self.licence, self.accept_licence)
        return self


class CodecSettings(Strict):
    """A codec: pretrained (`base`) or fitted to a dataset of one's own (`dataset`)."""

    kind: str = Field(description="A module of kaiku/codecs.")
    base: str | None = Field(None, description="A base model whose folder holds the codec's weights.")
    dataset: str | None = Field(None, description="A dataset whose training clips the codec is fitted to.")
    follow_data: bool = Field(
        False,
        description="Fit again whenever the dataset changes. Off: a codec is fitted once, since another codec means "
        "other tokens for every clip.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the codec itself.")

    @model_validator(mode="after")
    def _one_origin(self) -> "CodecSettings":
        if bool(self.base) == bool(self.dataset):
            raise ValueError("give either base (pretrained) or dataset (fitted to your own clips)")
        return self


class RunSettings(Strict):
    """One training: a family, its base, a dataset, a codec, and how to train."""

    family: str = Field(description="A module of kaiku/families.")
    base: str | None = Field(
        None, description="A base model, or a run whose merged model is the base; none: from nothing."
    )
    dataset: str = Field(description="What is trained on.")
    codec: str = Field(description="Whose tokens are trained on.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the family: sizes, input noise...")
    lora: LoraSettings | None = Field(None, description="Train an adapter of this form; none: train all weights.")
    train: TrainSettings = Field(
        default_factory=TrainSettings, description="Steps, rate, batch, evaluation, retention."
    )
    merge: MergeSettings = Field(default_factory=MergeSettings, description="Which checkpoint becomes the model.")
    samples: SynthesisSettings = Field(
        default_factory=SynthesisSettings, description="Sentences spoken for the report."
    )
    package: bool = Field(True, description="Make dist/{run}.tar.gz.")


class PriceSettings(Strict):
    """What an hour of the machine costs, so that a plan can say what a run would."""

    hour: float = Field(gt=0, description="Price of an hour of the machine that the jobs run on.")
    currency: str = Field("EUR", description="Currency of the price; only shown.")


class Settings(Strict):
    """A system: its corpora, datasets, codecs, base models and runs."""

    system: Name = Field(description="Name of the system; the first line of every run says it.")
    plugins: list[str] = Field(
        default_factory=list,
        description="Folders with plug-ins of one's own, `checks/mine.py` and the like; they win over the tree's.",
    )
    corpora: dict[Name, CorpusSettings] = Field(default_factory=dict, description="Recordings, by origin.")
    asr: dict[Name, AsrSettings] = Field(
        default_factory=dict, description="Transcribers; `given`, the texts that came along, is always there."
    )
    checks: dict[str, dict[str, Any]] = Field(
        default_factory=lambda: {name: {} for name in DEFAULT_CHECKS},
        description="Quality checks to measure, each with its settings: modules of kaiku/checks. Who names any names "
        "all.",
    )
    datasets: dict[Name, DatasetSettings] = Field(
        default_factory=dict, description="Which clips are taken, with which text, and which are held out."
    )
    codecs: dict[Name, CodecSettings] = Field(default_factory=dict, description="What turns clips into tokens.")
    bases: dict[Name, BaseSettings] = Field(default_factory=dict, description="Base models that others have made.")
    runs: dict[Name, RunSettings] = Field(default_factory=dict, description="Trainings; each becomes a model.")
    exports: dict[Name, ExportSettings] = Field(
        default_factory=dict, description="Datasets in forms that others read; each becomes dist/exports/{name}."
    )
    threads: Annotated[int, Field(ge=1)] = speed_only(2, description="Threads of a training or fitting job.")
    device: Literal["auto", "cpu", "cuda"] = speed_only("auto", description="Where models run.")
    price: PriceSettings | None = speed_only(None, description="What the machine costs; `make plan` counts with it.")

    @model_validator(mode="before")
    @classmethod
    def _given_is_always_there(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {**value, "asr": {"given": {"kind": "given"}, **(value.get("asr") or {})}}
        return value

    @model_validator(mode="before")
    @classmethod
    def _derived_corpora_inherit(cls, value: Any) -> Any:
        corpora = value.get("corpora") if isinstance(value, dict) else None
        if not isinstance(corpora, dict):
            return value
        return {**value, "corpora": {name: _with_inherited(own, corpora) for name, own in corpora.items()}}

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> "Settings":
        if "datasets" in self.runs:
            raise ValueError("runs.datasets: results/datasets holds the reports of datasets; give the run another name")
        for name, corpus in self.corpora.items():
            if corpus.derived:
                self._check_derived(name)
        for name in set(self.runs) & set(self.bases):
            raise ValueError(f"runs.{name}: a base model has this name too; `base: {name}` could mean either")
        for name, dataset in self.datasets.items():
            for corpus in dataset.corpora:
                _known(corpus, self.corpora, f"datasets.{name}.corpora", "corpora")
                if self.origin(corpus) not in dataset.corpora:
                    raise ValueError(
                        f"datasets.{name}.corpora: {corpus} is derived from {self.origin(corpus)}, which is not among "
                        "them; its clips are kept where those they were made from are trained on. Add it"
                    )
            _known(dataset.asr, self.asr, f"datasets.{name}.asr", "asr")
        for name, corpus in self.corpora.items():
            if corpus.tokens:
                _known(corpus.tokens.codec, self.codecs, f"corpora.{name}.tokens.codec", "codecs")
        for name, codec in self.codecs.items():
            if codec.dataset:
                _known(codec.dataset, self.datasets, f"codecs.{name}.dataset", "datasets")
            else:
                _known(codec.base, self.bases, f"codecs.{name}.base", "bases")
        for name, asr in self.asr.items():
            if asr.model:
                _known(asr.model, self.bases, f"asr.{name}.model", "bases")
        for name, run in self.runs.items():
            _known(run.dataset, self.datasets, f"runs.{name}.dataset", "datasets")
            _known(run.codec, self.codecs, f"runs.{name}.codec", "codecs")
            if run.base:
                _known(run.base, {**self.bases, **self.runs}, f"runs.{name}.base", "bases or runs")
            self.lineage(name)
        for name, export in self.exports.items():
            _known(export.dataset, self.datasets, f"exports.{name}.dataset", "datasets")
            if export.codec:
                _known(export.codec, self.codecs, f"exports.{name}.codec", "codecs")
        return self

    def _check_derived(self, name: str) -> None:
        own = self.corpora[name]
        others = {other: None for other, corpus in self.corpora.items() if not corpus.derived}
        if own.derived.of in self.corpora and own.derived.of not in others:
            raise ValueError(
                f"corpora.{name}.derived.of: {own.derived.of} is derived itself; name the corpus that it is made of, "
                "with all changes at once"
            )
        _known(own.derived.of, others, f"corpora.{name}.derived.of", "corpora")
        for what in INHERITED:
            if getattr(own, what) != getattr(self.corpora[own.derived.of], what):
                raise ValueError(f"corpora.{name}.{what}: a derived corpus has that of {own.derived.of}; take it out")

    def origin(self, corpus: str) -> str:
        """The corpus whose recordings a corpus' clips come from: itself, unless it is derived."""
        derived = self.corpora[corpus].derived
        return derived.of if derived else corpus

    def derived_corpora(self) -> list[str]:
        """Corpora that are made of others."""
        return [name for name, own in self.corpora.items() if own.derived]

    def lineage(self, run: str) -> list[str]:
        """The run and the runs it was made from, newest first."""
        chain = [run]
        while (base := self.runs[chain[-1]].base) in self.runs:
            if base in chain:
                raise ValueError(f"runs.{run}.base: {' -> '.join([*chain, base])} goes in a circle")
            chain.append(base)
        return chain

    def checks_that_need(self, needs: str) -> list[str]:
        """Names of the configured checks that look at `audio`, `text` or the whole `corpus`, in alphabetical order."""
        return sorted(name for name in self.checks if _needs(name) == needs)

    def corpus_root(self, corpus: str) -> Path:
        """Folder of a corpus' recordings; of a derived one, of those it comes from."""
        corpus = self.origin(corpus)
        return Path(self.corpora[corpus].path or f"data/raw/{corpus}").expanduser()

    def base_root(self, base: str) -> Path:
        """Folder of a base model."""
        return Path(self.bases[base].path or f"models/base/{base}").expanduser()


def load(config: dict[str, Any]) -> Settings:
    """Validate a configuration; SettingsError in plain words names each key that means nothing and what was meant."""
    folders = config.get("plugins")
    plugins.use_folders(folders if isinstance(folders, list) else [])
    try:
        settings = Settings.model_validate(catalog.resolve(config))
    except ValidationError as error:
        raise _refuse(error, Settings) from None
    _check_plugins(settings)
    return settings


def plugin_settings(kind: str, name: str, options: dict[str, Any], where: str) -> Any:
    """A plug-in's own settings, validated by the class in its file. where: path of the options in the configuration."""
    module = plugins.find(kind, name, where.removesuffix("options") + NAMED_BY.get(kind, ""))
    try:
        return module.Settings.model_validate(options)
    except ValidationError as error:
        raise _refuse(error, module.Settings, where) from None


def layout_settings(settings: Settings, corpus: str) -> Any:
    """A corpus' layout settings: its options, with the speaker and language that the corpus says of all recordings."""
    own = settings.corpora[corpus]
    for name in ("speaker", "language"):
        if name in own.options:
            raise SettingsError(
                f"corpora.{corpus}.options.{name}: the corpus itself says it",
                remedy=f"Write it as corpora.{corpus}.{name}",
            )
    options = {**own.options, "speaker": own.speaker, "language": own.language}
    return plugin_settings("layouts", own.layout, options, f"corpora.{corpus}.options")


def _check_plugins(settings: Settings) -> None:
    for name, own in settings.corpora.items():
        if own.derived:
            continue
        layout_settings(settings, name)
        is_whole = {"identity": True, "vad": False, "auto": plugins.find("layouts", own.layout).PRECUT}
        if own.tokens and not is_whole[own.segment.mode]:
            raise SettingsError(
                f"corpora.{name}.tokens: its recordings are cut into clips, and these tokens are of whole recordings",
                expected="segment.mode: identity, or a layout of clips that are cut already",
                remedy="Take `tokens:` out, or set the mode.",
            )
    for name, options in settings.checks.items():
        _check_check(settings, name, options)
    for name, asr in settings.asr.items():
        plugin_settings("asr", asr.kind, asr.options, f"asr.{name}.options")
    for name, codec in settings.codecs.items():
        plugin_settings("codecs", codec.kind, codec.options, f"codecs.{name}.options")
        if codec.dataset and not hasattr(plugins.find("codecs", codec.kind), "fit"):
            raise SettingsError(
                f"codecs.{name}: kind {codec.kind} cannot be fitted", remedy="Give it a base instead of a dataset."
            )
    for name, run in settings.runs.items():
        plugin_settings("families", run.family, run.options, f"runs.{name}.options")
    for name in settings.exports:
        _check_export(settings, name)
    _check_measures(settings)


def _check_export(settings: Settings, name: str) -> None:
    own = settings.exports[name]
    plugin_settings("exports", own.format, own.options, f"exports.{name}.options")
    module = plugins.find("exports", own.format)
    if module.NEEDS_TEXT and not settings.datasets[own.dataset].require_text:
        raise SettingsError(
            f"exports.{name}: {own.format} needs a text for each clip, and dataset {own.dataset} takes clips without",
            remedy=f"Set datasets.{own.dataset}.require_text to true, or export another dataset.",
        )
    if own.codec and not module.TAKES_TOKENS:
        able = [other for other in plugins.known("exports") if plugins.find("exports", other).TAKES_TOKENS]
        raise SettingsError(
            f"exports.{name}.codec: {own.format} holds no tokens",
            remedy=f"Take the line out, or choose a format that does: {', '.join(able)}.",
        )


def _check_check(settings: Settings, check: str, options: dict[str, Any]) -> None:
    """What a check names must be there, and what it measures from must be measured."""
    if _needs(check) not in CHECKS_NEED:
        raise SettingsError(
            f"checks.{check}: NEEDS = {_needs(check)!r}", expected=f"one of {', '.join(map(repr, CHECKS_NEED))}"
        )
    own = plugin_settings("checks", check, options, f"checks.{check}")
    for name, known, what in (("model", settings.bases, "bases"), ("asr", settings.asr, "asr")):
        wanted = getattr(own, name, None)
        if wanted is not None and wanted not in known:
            raise SettingsError(
                f"checks.{check}.{name}: {wanted!r} is not among the {what}{plugins.did_you_mean(wanted, [*known])}",
                expected=f"one of {', '.join(sorted(known)) or 'none yet'}",
                remedy=f"Describe it under `{what}:`.",
            )
    if "speech_s" in getattr(plugins.find("checks", check), "USES", ()) and "speech" not in settings.checks:
        raise SettingsError(
            f"checks.{check}: it counts seconds of speech, and nothing measures them",
            remedy="Add `speech: {}` to `checks:`",
        )


def _needs(check: str) -> str:
    """What a check looks at."""
    return getattr(plugins.find("checks", check, f"checks.{check}"), "NEEDS", "audio")


def _check_measures(settings: Settings) -> None:
    """A dataset can only ask for what is measured."""
    measures = {field for check in settings.checks for field in plugins.find("checks", check).FIELDS}
    measures |= {"duration_s", "confidence"}
    asked = (
        (f"datasets.{name}.{where}.{field}", field)
        for name, dataset in settings.datasets.items()
        for where, bounds in dataset.bounds().items()
        for field in bounds
    )
    for where, field in asked:
        if field not in measures:
            others = [check for check in plugins.known("checks") if field in plugins.find("checks", check).FIELDS]
            raise SettingsError(
                f"{where}: no check measures it{plugins.did_you_mean(field, measures)}",
                expected=f"one of {', '.join(sorted(measures))}",
                remedy=f"Or add `{others[0]}: {{}}` to `checks:` ({', '.join(settings.checks)})" if others else "",
            )


def _refuse(error: ValidationError, model: type[BaseModel], where: str = "") -> SettingsError:
    found = complaints(error, model, where)
    if len(found) == 1:
        return SettingsError(f"Configuration: {found[0]}")
    return SettingsError("\n  ".join([f"Configuration: {len(found)} settings mean nothing.", *found]))


def _with_inherited(own: Any, corpora: dict[str, Any]) -> Any:
    """What a configuration says of a corpus, with what a derived one has of its source."""
    derived = own.get("derived") if isinstance(own, dict) else None
    source = corpora.get(derived.get("of")) if isinstance(derived, dict) else None
    if not isinstance(source, dict):
        return own
    return {**{name: source[name] for name in INHERITED if name in source}, **own}


def _known(name: str | None, names: dict[str, Any], where: str, what: str) -> None:
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        near = plugins.did_you_mean(name or "", names)
        raise ValueError(f"{where}: {name!r} is not among the {what} ({known}){near}")
