"""What a user says of a dataset: bounds, by corpus and by language, splits, subsets, gates, consent."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from kaiku.selection.usual import spelt_out
from kaiku.strict import Strict

FEW_RECORDINGS = 5
"""Up to so many in a corpus, `by: recording` holds out the end of each recording instead of drawing whole ones."""

DECIDES = ("asr", "text", "select", "warn", "split", "subset", "require_text")
"""Settings of a dataset that decide a clip's fate: what the key of its selection holds, of one corpus at a time."""

Range = tuple[float | None, float | None]
Weight = Annotated[float, Field(gt=0, le=100)]


class Bounds(Strict):
    """The range in which a measure must lie, ends included: `[min, max]` (null: open) or `{min:, max:, required:}`."""

    min: float | None = Field(None, description="Least value that is kept.")
    max: float | None = Field(None, description="Greatest value that is kept.")
    required: bool = Field(
        False, description="Drop clips of which the measure could not be taken; by default they stay."
    )
    languages: dict[str, Range] = Field(
        default_factory=dict,
        description="Other ranges for clips of a language: `{fi: [8, 25]}`. The longest BCP 47 tag that a clip's "
        "begins with counts: `pt` for pt-BR too. A clip of another language has the range above, or none.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise ValueError(f"{value!r}: a range is [min, max], null where it is open")
            return {"min": value[0], "max": value[1]}
        return value

    @model_validator(mode="after")
    def _means_something(self) -> "Bounds":
        given = [bound for bound in (self.min, self.max) if bound is not None]
        if not given and not self.required and not self.languages:
            raise ValueError("neither min nor max: give at least one, or leave the measure out")
        _check_range(self.min, self.max, "")
        for language, (low, high) in self.languages.items():
            _check_range(low, high, f"languages.{language}: ")
            if low is None and high is None:
                raise ValueError(f"languages.{language}: neither min nor max")
        return self

    def of_language(self, language: str | None) -> Range:
        """Least and greatest value for clips of a language."""
        parts = (language or "").lower().split("-")
        known = {tag.lower(): bounds for tag, bounds in self.languages.items()}
        tags = ("-".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((known[tag] for tag in tags if tag in known), (self.min, self.max))

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bound = {"type": ["number", "null"]}
        pair = {"type": "array", "items": bound, "minItems": 2, "maxItems": 2}
        return {"anyOf": [handler(core_schema), pair, {"const": "usual"}]}


def _check_range(low: float | None, high: float | None, where: str) -> None:
    for bound in (low, high):
        if bound is not None and not math.isfinite(bound):
            raise ValueError(f"{where}{bound} is no bound: write a number, or null where the range is open")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{where}min {low} is above max {high}: nothing could be kept")


class SplitSettings(Strict):
    """What is held out of training, for choosing the best checkpoint (val) and for the report (test)."""

    by: Literal["recording", "speaker", "clip"] = Field(
        "recording",
        description="What no split divides. `clip` lets clips of one recording meet in training and test.",
    )
    val: float | tuple[str, ...] = Field(0.05, description="Share of the units, or patterns of recording ids.")
    test: float | tuple[str, ...] = Field(0.0, description="Share of the units, or patterns of recording ids.")
    salt: str = Field("", description="Another word draws another split.")

    @model_validator(mode="after")
    def _leaves_training(self) -> "SplitSettings":
        val, test = self.shares()
        if not (min(val, test) >= 0 and val + test < 1):
            raise ValueError(f"val {val} and test {test}: shares lie in 0..1 and leave something to train on")
        return self

    def shares(self) -> tuple[float, float]:
        """val and test as shares of the units; 0 where they are patterns."""
        return tuple(0.0 if isinstance(part, tuple) else part for part in (self.val, self.test))

    def patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """val and test as patterns of recording ids; none where they are shares."""
        return tuple(part if isinstance(part, tuple) else () for part in (self.val, self.test))


class SubsetSettings(Strict):
    """A part of what a dataset would keep, the same as it grows: a smaller one lies within a larger one."""

    share: float | None = Field(None, gt=0, le=1, description="Share of the units, drawn by a hash of their names.")
    hours: float | None = Field(
        None,
        gt=0,
        description="Hours of training at most, h, spread evenly over the dataset's shards. A shard that comes to hold "
        "its first recording plans the selections of all shards.",
    )
    by: Literal["recording", "speaker", "clip"] = Field("recording", description="What is drawn as a whole by `share`.")
    of: Literal["train", "all"] = Field(
        "train", description="What it is a part of: `train` leaves val and test whole, so that figures compare."
    )
    salt: str = Field("", description="Another word draws another part.")

    @model_validator(mode="after")
    def _one_measure(self) -> "SubsetSettings":
        if (self.share is None) == (self.hours is None):
            raise ValueError("give either share (of the recordings) or hours (of training)")
        if self.hours is not None and (self.by, self.of) != ("recording", "train"):
            raise ValueError("hours are of training, taken recording after recording: leave out by and of")
        return self


class GateSettings(Strict):
    """What a dataset as a whole must be like; the dataset's report gives a verdict."""

    duration_s: Bounds = Field(
        default_factory=lambda: Bounds(min=1, max=20), description="Range in which kept clips should lie, s."
    )
    in_range: float = Field(0.9, ge=0, le=1, description="Least share of the kept clips that lie in it.")
    defects: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Greatest share of kept clips that are warned of (`warn`), for other things than their duration.",
    )
    speaker_hours: float | None = Field(
        None, ge=0, description="Least hours of training of every speaker that is trained on, h; null: not asked."
    )
    prosodic_spread_st: float | None = Field(
        None,
        gt=0,
        description="Least spread of the pitch of every corpus, semitones: the median of its kept clips' "
        "`pitch_spread_st` (check `pitch`). Lively reading has 2 to 4, a monotone below 1; null: not asked.",
    )
    enforce: bool = Field(
        False, description="Let nothing be trained on the dataset, nor the run go well, while it fails; default: tell."
    )


class ConsentSettings(Strict):
    """Who may be heard."""

    withdrawn: tuple[str, ...] = Field(
        (),
        description="Speakers of the corpus who take their consent back. Their clips leave every dataset, and what "
        "heard them is made again without them; `make heard` tells what that is.",
    )


class CorpusBounds(Strict):
    """Bounds of one corpus, laid over those of the dataset measure by measure; null takes one of them away."""

    select: dict[str, Bounds | None] = Field(default_factory=dict, description="As the dataset's.")
    warn: dict[str, Bounds | None] = Field(default_factory=dict, description="As the dataset's.")

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, value: Any) -> Any:
        return spelt_out(value, ("select", "warn"))


class DatasetSettings(Strict):
    """A dataset: clips of some corpora, with the text of one transcriber, within bounds, split."""

    corpora: tuple[str, ...] = Field(min_length=1, description="Names of the corpora it draws from.")
    asr: str = Field("given", description="Name of the transcriber whose text is taken.")
    text: Literal["raw", "normalised"] = Field("normalised", description="Which form of the text is taken.")
    select: dict[str, Bounds] = Field(
        default_factory=dict,
        description="Bounds by measure; `duration_s` and the transcript's `confidence` too. `chars_per_s: usual`: "
        "what read speech of each language has.",
    )
    warn: dict[str, Bounds] = Field(
        default_factory=dict,
        description="Bounds by measure, as in `select`, whose violation is counted and shown and drops nothing.",
    )
    per_corpus: dict[str, CorpusBounds] = Field(
        default_factory=dict, description="Other bounds for one of the corpora; a change concerns that corpus alone."
    )
    mix: dict[str, Weight] = Field(
        default_factory=dict,
        description="How often a training hears each clip of a corpus in an epoch: 2 twice, 0.5 every other time; 1 "
        "where it is not named. Selection and packs stay as they are, held-out clips are never weighted.",
    )
    split: SplitSettings = Field(default_factory=SplitSettings, description="What is held out.")
    subset: SubsetSettings | None = Field(None, description="Take only a part of what would be kept.")
    require_text: bool = Field(True, description="Drop clips without text; false for data of which only sound is used.")
    gates: GateSettings = Field(default_factory=GateSettings, description="What it must be like as a whole.")
    report: bool = Field(
        False,
        description="Make results/datasets/{dataset}/report.html with everything else; without it, `make survey` does.",
    )

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, value: Any) -> Any:
        return spelt_out(value, ("select", "warn"))

    @model_validator(mode="after")
    def _corpora_are_its_own(self) -> "DatasetSettings":
        if twice := sorted({corpus for corpus in self.corpora if self.corpora.count(corpus) > 1}):
            raise ValueError(f"corpora: {twice[0]} stands there twice")
        for corpus in self.per_corpus:
            if corpus not in self.corpora:
                raise ValueError(f"per_corpus.{corpus}: the dataset draws from {', '.join(self.corpora)} only")
        return self

    def of(self, corpus: str) -> "DatasetSettings":
        """What holds for one of its corpora: its bounds laid over the dataset's."""
        own = self.per_corpus.get(corpus)
        bounds = {"select": _laid(self.select, own.select), "warn": _laid(self.warn, own.warn)} if own else {}
        return self.model_copy(update={**bounds, "corpora": (corpus,), "per_corpus": {}})

    def of_derived(self) -> "DatasetSettings":
        """What holds for clips that are made from others of the dataset: those bring their split, text and share."""
        own = {"split": SplitSettings(val=0.0, test=0.0), "require_text": False}
        if self.subset and self.subset.share is not None:
            own["subset"] = None
        return self.model_copy(update=own)

    def bounds(self) -> dict[str, dict[str, Bounds]]:
        """All bounds, by the setting that they stand in: `select`, `per_corpus.otso.warn`."""
        found = {"select": self.select, "warn": self.warn}
        for corpus, own in self.per_corpus.items():
            found |= {f"per_corpus.{corpus}.select": own.select, f"per_corpus.{corpus}.warn": own.warn}
        return {where: {name: b for name, b in bounds.items() if b} for where, bounds in found.items() if bounds}

    @property
    def is_surveyed(self) -> bool:
        """Whether its report is made with everything else."""
        return self.report or self.gates.enforce


def _laid(bounds: dict[str, Bounds], over: dict[str, Bounds | None]) -> dict[str, Bounds]:
    return {name: own for name, own in {**bounds, **over}.items() if own is not None}
