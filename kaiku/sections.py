"""The sections of a configuration: what it says of a corpus, a transcriber, a base model, a codec, a run."""

from typing import Any

from pydantic import Field, model_validator

from kaiku.adoption import GivenTokens
from kaiku.audio.segmentation import SegmentSettings
from kaiku.augmentation.settings import DerivedSettings
from kaiku.collect.settings import CollectSettings
from kaiku.complaints import TAG_PATTERN
from kaiku.fetch.consent import check_accepted
from kaiku.fetch.source import Source
from kaiku.selection import ConsentSettings
from kaiku.strict import Strict
from kaiku.synthesis import SynthesisSettings
from kaiku.train.settings import LoraSettings, MergeSettings, TrainSettings


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
    language: str = Field(
        "und", pattern=TAG_PATTERN, description="BCP 47 tag of what is spoken, where the layout does not tell by clip."
    )
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
            if self.consent != unset.consent:
                raise ValueError(
                    f"consent: a speaker takes it back in {self.derived.of}, and no clip made from theirs is taken any "
                    "more; write it there"
                )
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
