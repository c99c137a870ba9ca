"""Settings of where a corpus or base model is fetched from."""

import json
import re
import urllib.parse
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from kaiku.strict import Strict


def _on_the_web(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no web address: give https://..., or a folder as `path:` instead of a source")
    if re.search(r"\s", url):
        raise ValueError(f"{url!r} is no web address: it holds white space; write a blank in it as %20")
    try:
        _ = urllib.parse.urlsplit(url).port  # looks at all of the server's name
    except ValueError as error:
        raise ValueError(f"{url!r} is no web address: {error}") from error
    return url


def _sha256(digest: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise ValueError(f"{digest!r} is no SHA-256: that is 64 hexadecimal digits, as sha256sum prints them")
    return digest.lower()


def _md5(digest: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{32}", digest):
        raise ValueError(f"{digest!r} is no MD5: that is 32 hexadecimal digits, as md5sum prints them")
    return digest.lower()


def _repository(hub: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", hub):
        raise ValueError(f"{hub!r} is no repository: write owner/name")
    return hub


def _inside(folder: str) -> str:
    if folder.startswith(("/", "~")) or ".." in folder.split("/"):
        raise ValueError(f"{folder!r} leads out of the corpus: name a folder inside it")
    return folder


Url = Annotated[str, AfterValidator(_on_the_web)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Md5 = Annotated[str, AfterValidator(_md5)]
Inside = Annotated[str, AfterValidator(_inside)]


class Archive(Strict):
    """One archive of several that make a corpus."""

    url: Url = Field(description="Archive to download, as `source.url`.")
    mirrors: list[Url] = Field(default_factory=list, description="The same archive at other addresses.")
    sha256: Sha256 | None = Field(None, description="SHA-256 of the archive.")
    md5: Md5 | None = Field(None, description="MD5 of the archive, where its publisher gives no SHA-256.")
    into: Inside = Field("", description="Folder inside the corpus that it is unpacked into.")


class Source(Strict):
    """Where a corpus or base model comes from when its folder is not there."""

    url: Url | None = Field(
        None,
        description="Archive to download: .tar.gz, .tar.bz2, .tar.xz, .tar or .zip, told by its content. One folder "
        "that holds all of a base model is taken off.",
    )
    mirrors: list[Url] = Field(
        default_factory=list,
        description="The same archive at other addresses, asked in turn where one gives it up. They must hold the same "
        "bytes; without a digest the first that answers is trusted.",
    )
    sha256: Sha256 | None = Field(
        None,
        description="SHA-256 of the archive. Without one, that of the first download is recorded and asked for from "
        "then on.",
    )
    md5: Md5 | None = Field(
        None,
        description="MD5 of the archive, where its publisher gives no SHA-256: it tells damage, not forgery.",
    )
    into: Inside = Field("", description="Folder inside the corpus that the archive is unpacked into.")
    also: list[Archive] = Field(default_factory=list, description="Further archives that belong to the same folder.")
    hub: Annotated[str, AfterValidator(_repository)] | None = Field(
        None,
        description="Repository on the Hugging Face hub, owner/name. A token is taken from HF_TOKEN alone.",
    )
    repository: Literal["model", "dataset"] = Field("model", description="Kind of the hub repository.")
    revision: str | None = Field(
        None,
        description="Commit of the hub repository; pinned, a base never drifts. Of a branch, the commit of the first "
        "fetch is recorded and asked for from then on.",
    )
    files: list[str] = Field(
        default_factory=list,
        description="Files wanted of the hub repository, as patterns (`data/te_in/*`); none: all of them.",
    )
    unpack: bool = Field(False, description="Unpack the archives among a hub repository's files, each where it lies.")
    gated: bool = Field(
        False, description="The hub lets only those in who accepted its terms there: HF_TOKEN must be set."
    )
    asks: str = Field(
        "",
        description="What the place asks of those who fetch, beyond the licence. Where it asks for anything, nothing "
        "is fetched before `accept_licence` is given.",
    )
    hours: float | None = Field(
        None,
        gt=0,
        description="Keep a part of about so many hours, the same on every machine, and inside that of any larger "
        "number. An archive is downloaded whole all the same; what is left out is removed after unpacking.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        if bool(self.url) == bool(self.hub):
            raise ValueError("give either url or hub")
        belongs = {"url": ("mirrors", "sha256", "md5", "into", "also"), "hub": ("revision", "files", "unpack", "gated")}
        for place, names in belongs.items():
            for name in names:
                if getattr(self, name) and not getattr(self, place):
                    raise ValueError(f"{name} belongs to a {place}; {_PINNED[place]}")
        if self.repository == "dataset" and not self.hub:
            raise ValueError("repository belongs to a hub; an archive is of no kind")
        return self

    @property
    def archives(self) -> list[Archive]:
        """All archives of a source on the web; none of a hub repository."""
        if not self.url:
            return []
        first = Archive(url=self.url, mirrors=self.mirrors, sha256=self.sha256, md5=self.md5, into=self.into)
        return [first, *self.also]

    def identity(self) -> str:
        """What is fetched, as one canonical text: mirrors, and what one has to agree to, change nothing of it."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"mirrors", "gated", "asks"})
        for archive in said.get("also", []):
            archive.pop("mirrors", None)
        always = {name: getattr(self, name) for name in ("url", "sha256", "hub", "revision")}
        return json.dumps({**always, **said}, separators=(",", ":"))


_PINNED = {
    "url": "a hub repository is pinned by its revision",
    "hub": "an archive is pinned by its sha256",
}
