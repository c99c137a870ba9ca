"""Settings of where a corpus or base model is fetched from."""

import re

from pydantic import Field, field_validator, model_validator

from kaiku.strict import Strict


class Source(Strict):
    """Where a corpus or base model comes from when its folder is not there."""

    url: str | None = Field(
        None,
        description="Archive to download: .tar.gz, .tar.bz2, .tar.xz, .tar or .zip, told by its content. One folder "
        "that holds all of a base model is taken off.",
    )
    sha256: str | None = Field(
        None,
        description="SHA-256 of the archive. Without one, that of the first download is recorded and asked for from "
        "then on.",
    )
    hub: str | None = Field(
        None,
        description="Repository on the Hugging Face hub, owner/name. A token is taken from HF_TOKEN alone.",
    )
    revision: str | None = Field(
        None,
        description="Commit of the hub repository; pinned, a base never drifts. Of a branch, the commit of the first "
        "fetch is recorded and asked for from then on.",
    )

    @field_validator("url")
    @classmethod
    def _is_on_the_web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError(f"{url!r} is no web address: give https://..., or a folder as `path:` instead of a source")
        return url

    @field_validator("sha256")
    @classmethod
    def _is_a_digest(cls, sha256: str | None) -> str | None:
        if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ValueError(f"{sha256!r} is no SHA-256: that is 64 hexadecimal digits, as sha256sum prints them")
        return sha256

    @field_validator("hub")
    @classmethod
    def _is_a_repository(cls, hub: str | None) -> str | None:
        if hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", hub):
            raise ValueError(f"{hub!r} is no repository: write owner/name")
        return hub

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        if bool(self.url) == bool(self.hub):
            raise ValueError("give either url or hub")
        if self.sha256 and not self.url:
            raise ValueError("sha256 belongs to a url; a hub repository is pinned by its revision")
        if self.revision and not self.hub:
            raise ValueError("revision belongs to a hub repository; an archive is pinned by its sha256")
        return self
