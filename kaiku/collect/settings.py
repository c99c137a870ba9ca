"""Settings of collecting recordings from the web."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kaiku.strict import Strict, speed_only

Seconds = Annotated[float, Field(ge=0)]


class CollectSettings(Strict):
    """Recordings that are collected from the web with yt-dlp, each under a licence or right of its own."""

    sources: str = Field(
        description="YAML file that lists what is collected: addresses of items, playlists, channels or podcast feeds."
    )
    allow_licences: list[str] = Field(
        default_factory=list,
        description="Licences, as sites state them, under which an item is taken. An item without a stated licence is "
        "not licensed: it is taken only where its entry in `sources` says by which `rights`.",
    )
    rights_confirmed: bool = Field(
        False,
        description="That you have read the terms of the sites and may copy what `sources` names. Without it, nothing "
        "is collected.",
    )
    captions: Literal["none", "given", "automatic"] = Field(
        "given",
        description="Captions in the corpus' language that become texts: `given` by people, or `automatic` ones too "
        "where there are no others.",
    )
    longest_s: float | None = Field(None, gt=0, description="Items that are stated to be longer are left, in seconds.")
    most_items: int = Field(500, ge=1, description="Items taken of one source: a guard against a channel of thousands.")
    retries: int = speed_only(10, ge=0, description="Attempts after a broken connection.")
    pause_s: tuple[Seconds, Seconds] = speed_only(
        (2.0, 6.0), description="Shortest and longest pause before an item, in seconds; sites shut out those in haste."
    )
    rate_kb_s: float | None = speed_only(None, gt=0, description="Highest rate of a download, in kB/s.")

    @model_validator(mode="after")
    def _pauses_in_order(self) -> "CollectSettings":
        if self.pause_s[0] > self.pause_s[1]:
            raise ValueError(f"pause_s is {list(self.pause_s)}; write the shorter one first")
        return self
