"""What a configuration says of an export."""

from typing import Any, Literal

from pydantic import Field

from kaiku.strict import Strict


class ExportSettings(Strict):
    """A dataset in a form that others read."""

    dataset: str = Field(description="What is exported.")
    format: str = Field(description="A module of kaiku/exports.")
    codec: str | None = Field(None, description="Whose tokens go along, where the format can hold them.")
    splits: tuple[Literal["train", "val", "test"], ...] = Field(
        ("train", "val", "test"), min_length=1, description="Which splits go out."
    )
    speakers: dict[str, str] = Field(
        default_factory=dict,
        description="Other names for speakers: `{aino: SPK1}`, or `{corpus/aino: SPK1}` where several corpora have one "
        "of that name; who is not named keeps their own.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the format itself.")
