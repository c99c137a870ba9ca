"""The catalogue of corpora and base models: where they are, under which licence, and how sure the entry is of it.

It stands in config/catalog. `corpora: {x: {catalog: ljspeech}}` takes from an entry what the configuration does not say
itself; an entry of several parts is named with one: `catalog: mls/portuguese`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from kaiku.errors import SettingsError
from kaiku.fetch.consent import is_share_alike
from kaiku.fetch.source import Source, Url
from kaiku.plugins import did_you_mean
from kaiku.report.licence import allows_commercial_use
from kaiku.strict import Strict

FOLDER = Path(__file__).parents[2] / "config/catalog"
SECTIONS = ("corpora", "bases")
COMMERCIAL = {True: "yes", False: "no", None: "unclear"}


class Part(Strict):
    """One part of an entry: what it says other than the whole."""

    language: str | None = Field(None, description="BCP 47 tag.")
    hours: float | None = Field(None, gt=0, description="Hours of speech.")
    speakers: int | None = Field(None, gt=0, description="Number of speakers.")
    size_gb: float | None = Field(None, gt=0, description="Gigabytes to download.")
    source: dict[str, Any] = Field(default_factory=dict, description="Keys of `source` that are of this part alone.")


class Entry(Strict):
    """What is known of a published corpus or base model."""

    title: str = Field(description="Its name in words.")
    page: Url = Field(description="Where to read about it.")
    licence: str = Field(description="Licence, by its SPDX name where it has one.")
    commercial: Literal["yes", "no", "unclear"] = Field(description="Whether it may serve commercial use.")
    share_alike: bool = Field(False, description="Whether what is made from it has to stand under the same licence.")
    checked: Literal["seen", "unverified"] = Field(
        description="seen: read at its publisher or in code that fetches it; unverified: general knowledge."
    )
    doubts: str = Field("", description="What is not sure of this entry.")
    source: dict[str, Any] | None = Field(
        None, description="As `source` of a configuration; {part} stands for the part's name."
    )
    by_hand: str = Field("", description="How to come by it where it cannot be fetched.")
    size_gb: float | None = Field(None, gt=0, description="Gigabytes to download.")
    parts: dict[str, Part] = Field(default_factory=dict, description="Parts, of which a configuration names one.")

    @field_validator("page")
    @classmethod
    def _is_secure(cls, page: str) -> str:
        if not page.startswith("https://"):
            raise ValueError(f"{page!r} is no https address")
        return page

    @model_validator(mode="after")
    def _is_whole(self) -> "Entry":
        if bool(self.source) == bool(self.by_hand):
            raise ValueError("give either source or by_hand")
        if self.commercial != COMMERCIAL[allows_commercial_use(self.licence)]:
            raise ValueError(f"commercial is {self.commercial}, and the name {self.licence} says otherwise")
        if self.share_alike != is_share_alike(self.licence):
            raise ValueError(f"share_alike is {self.share_alike}, and the name {self.licence} says otherwise")
        for part in self.parts or [""]:
            self.source_of(part)
        return self

    def source_of(self, part: str) -> Source | None:
        """The source of a part, or of the whole where `part` is empty."""
        if self.source is None:
            return None
        own = self.parts[part].source if part else {}
        return Source.model_validate(_filled({**self.source, **own}, part))


class CorpusEntry(Entry):
    """What is known of a published corpus."""

    languages: list[str] = Field(min_length=1, description="BCP 47 tags of what is spoken; `mul` for very many.")
    layout: str = Field(description="A module of kaiku/layouts that reads its folder.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the layout.")
    hours: float | None = Field(None, gt=0, description="Hours of speech.")
    speakers: int | None = Field(None, gt=0, description="Number of speakers.")
    sample_rate: int | None = Field(None, gt=0, description="Hz.")


class BaseEntry(Entry):
    """What is known of a published base model."""

    serves: str = Field(description="What it is for here.")


@dataclass(frozen=True)
class Named:
    """An entry, or one part of it, under the name that a configuration writes."""

    name: str
    section: str
    entry: CorpusEntry | BaseEntry
    part: str

    @property
    def language(self) -> str:
        """What is spoken; `und` where it is more than one, or nothing is spoken."""
        own = self.entry.parts[self.part].language if self.part else None
        languages = getattr(self.entry, "languages", [])
        return own or (languages[0] if len(languages) == 1 and languages != ["mul"] else "und")

    def figure(self, name: str) -> Any:
        """A figure of the part, where it says one, else of the whole where there are no parts."""
        return getattr(self.entry.parts[self.part], name) if self.part else getattr(self.entry, name, None)

    def settings(self) -> dict[str, Any]:
        """What a configuration takes from it: plain values of a corpus' or a base model's settings."""
        source = self.entry.source_of(self.part)
        said = {
            "licence": self.entry.licence,
            "source": source.model_dump(mode="json", exclude_defaults=True) if source else None,
        }
        if isinstance(self.entry, CorpusEntry):
            said |= {"layout": self.entry.layout, "options": self.entry.options, "language": self.language}
        return said


@cache
def entries(section: str, folder: Path = FOLDER) -> Mapping[str, CorpusEntry | BaseEntry]:
    """All entries of `corpora` or `bases` by name. Raises SettingsError where one is not well-formed."""
    path = folder / f"{section}.yaml"
    kind = CorpusEntry if section == "corpora" else BaseEntry
    found = {}
    for name, said in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        try:
            found[name] = kind.model_validate(said)
        except ValidationError as error:
            raise SettingsError(f"{path}: {name}: {error}") from error
    return found


def names(section: str) -> Iterator[Named]:
    """Everything that a configuration can name, parts one by one."""
    for name, entry in sorted(entries(section).items()):
        for part in entry.parts or [""]:
            yield Named(f"{name}/{part}" if part else name, section, entry, part)


def find(section: str, name: str, where: str) -> Named:
    """What a configuration names; SettingsError with the nearest name, or the parts there are. where: its path."""
    known = entries(section)
    head, _, part = name.partition("/")
    if head not in known:
        raise SettingsError(
            f"{where}: {name!r} is not in the catalogue{did_you_mean(head, known)}",
            expected=f"one of {', '.join(sorted(known))}",
            remedy="`make catalog` lists them; what is in no catalogue is given by `source:` and `licence:`.",
        )
    parts = known[head].parts
    if bool(parts) != bool(part) or (part and part not in parts):
        near = did_you_mean(part, parts)
        raise SettingsError(
            f"{where}: {name!r} is no part of {head}{near}" if part else f"{where}: {head} has parts; name one",
            expected=f"one of {', '.join(f'{head}/{p}' for p in parts)}" if parts else head,
        )
    return Named(name, section, known[head], part)


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose corpora and bases say themselves what they took from the catalogue; what they say stays."""
    resolved = dict(config)
    for section in SECTIONS:
        owners = config.get(section)
        if isinstance(owners, Mapping):
            resolved[section] = {name: _resolved(section, name, own) for name, own in owners.items()}
    return resolved


def _resolved(section: str, name: str, own: Any) -> Any:
    if not isinstance(own, Mapping) or not isinstance(own.get("catalog"), str):
        return own
    said = find(section, own["catalog"], f"{section}.{name}.catalog").settings()
    if section == "bases" and own.get("path"):
        del said["source"]
    mine = own.get("source")
    if isinstance(mine, Mapping) and said.get("source") and not mine.get("url") and not mine.get("hub"):
        own = {**own, "source": {**said["source"], **mine}}
    return {**said, **own}


def _filled(value: Any, part: str) -> Any:
    """A source with {part} replaced, at any depth."""
    if isinstance(value, dict):
        return {key: _filled(inner, part) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, part) for inner in value]
    return value.replace("{part}", part) if isinstance(value, str) else value
