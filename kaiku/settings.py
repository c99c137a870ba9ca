"""The whole configuration as one strict tree: what a user writes, with units and reasons."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from kaiku import plugins
from kaiku.complaints import MEANT, NAME_PATTERN, TAG_PATTERN, complaints
from kaiku.errors import SettingsError
from kaiku.export_settings import ExportSettings
from kaiku.sections import AsrSettings, BaseSettings, CodecSettings, CorpusSettings, PriceSettings, RunSettings
from kaiku.selection import DatasetSettings
from kaiku.selection.gates import SPREAD
from kaiku.strict import Strict, speed_only

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
        asr = value.get("asr") or {} if isinstance(value, dict) else None
        if not isinstance(asr, dict):
            return value
        return {**value, "asr": {"given": {"kind": "given"}, **asr}}

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
            for corpus in dataset.mix:
                _known(corpus, dict.fromkeys(dataset.corpora), f"datasets.{name}.mix", "corpora of the dataset")
            if dataset.mix and name not in {run.dataset for run in self.runs.values()}:
                raise ValueError(f"datasets.{name}.mix: it weighs what a training hears, and no run trains on {name}")
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
        own = self.corpora.get(corpus)
        return own.derived.of if own and own.derived else corpus

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

    def licences(self, run: str) -> dict[str, str]:
        """Licence of everything a run's model was made from: corpora, base models, codec weights; name -> licence."""
        found: dict[str, str] = {}
        for name in self.lineage(run):
            own = self.runs[name]
            codec = self.codecs[own.codec]
            datasets = [own.dataset, *([codec.dataset] if codec.dataset else [])]
            for corpus in sorted({c for dataset in datasets for c in self.datasets[dataset].corpora}):
                found[f"corpus {corpus}"] = self.corpora[corpus].licence
            for base in (own.base, codec.base):
                if base in self.bases:
                    found[f"base {base}"] = self.bases[base].licence
        return found

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
    plugins.use_folders([name for name in folders if isinstance(name, str)] if isinstance(folders, list) else [])
    try:
        settings = Settings.model_validate(_with_catalog(config))
    except ValidationError as error:
        raise _refuse(error, Settings) from None
    _check_plugins(settings)
    return settings


def _with_catalog(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with what it takes from the catalogue; most take nothing, and do not pay for reading it."""
    sections = (config.get(section) for section in ("corpora", "bases"))
    owners = [own for section in sections if isinstance(section, dict) for own in section.values()]
    if not any(isinstance(own, dict) and own.get("catalog") for own in owners):
        return config
    from kaiku.fetch import catalog

    return catalog.resolve(config)


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
        if asr.model is None and getattr(plugins.find("asr", asr.kind), "NEEDS_MODEL", False):
            raise SettingsError(
                f"asr.{name}.model is missing",
                expected=f"a base model, which {asr.kind} loads",
                remedy="Describe it under `bases:`.",
            )
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
    _check_languages(settings)


def _check_languages(settings: Settings) -> None:
    """Languages that bounds are for: here, since a pattern on the field would make every selection stale."""
    for name, dataset in settings.datasets.items():
        for where, bounds in dataset.bounds().items():
            for field, tag in ((field, tag) for field, own in bounds.items() for tag in own.languages):
                if not re.fullmatch(TAG_PATTERN, tag):
                    setting = f"datasets.{name}.{where}.{field}.languages"
                    raise SettingsError(f"Configuration: {setting} is {tag!r}; {MEANT[TAG_PATTERN]}")


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
    gated = (
        (f"datasets.{name}.gates.prosodic_spread_st ({SPREAD})", SPREAD)
        for name, dataset in settings.datasets.items()
        if dataset.gates.prosodic_spread_st is not None
    )
    for where, field in (*asked, *gated):
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
    if not isinstance(derived, dict):
        return own
    of = derived.get("of")
    source = corpora.get(of) if isinstance(of, str) else None
    found = {name: source[name] for name in INHERITED if name in source} if isinstance(source, dict) else {}
    return {"licence": "", **found, **own}  # where the source is none, that is what is to be told


def _known(name: str | None, names: dict[str, Any], where: str, what: str) -> None:
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        near = plugins.did_you_mean(name or "", names)
        raise ValueError(f"{where}: {name!r} is not among the {what} ({known}){near}")
