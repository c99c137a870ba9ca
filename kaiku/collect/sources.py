"""The list of what is collected: addresses, and for each by which right, where the site itself does not say."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, ValidationError

from kaiku.complaints import complaints
from kaiku.errors import SettingsError
from kaiku.fetch.source import Url
from kaiku.strict import Strict

EXAMPLE = "- https://example.org/talk.mp3, or - {url: ..., rights: written consent of the speaker}"


def _is_a_name(name: str) -> str:
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or name.startswith(("-", "_")):
        raise ValueError(f"{name!r} is no name of a folder: letters, digits, - and _")
    return name


class Wanted(Strict):
    """One source: an item, or a playlist, channel or feed of many."""

    url: Url = Field(description="Its address.")
    id: Annotated[str, AfterValidator(_is_a_name)] | None = Field(
        None, description="Name of its folder, for a source of one item; by default site and the site's own id."
    )
    rights: str = Field("", description="What allows you to use it, where its site states no licence that you allow.")
    licence: str = Field("", description="Licence under which you have it by these rights.")
    note: str = Field("", description="Anything to be remembered; kept with the item.")


def read(path: Path) -> list[Wanted]:
    """The sources of a list, in its order; SettingsError names each entry that means nothing, or stands there twice."""
    if not path.is_file():
        raise SettingsError(f"{path} is not there", expected=f"a list of sources: {EXAMPLE}")
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no YAML: {error}", expected=f"a list of sources: {EXAMPLE}") from error
    if not isinstance(said, list):
        raise SettingsError(f"{path} holds no list", expected=f"a list of sources: {EXAMPLE}")
    found, faults = [], []
    for number, entry in enumerate(said, start=1):
        try:
            found.append(Wanted.model_validate({"url": entry} if isinstance(entry, str) else entry))
        except ValidationError as error:
            faults += complaints(error, Wanted, f"entry {number}")
    for what, values in (("address", [w.url for w in found]), ("id", [w.id for w in found if w.id])):
        faults += [f"{what} {value} stands there twice" for value in sorted({v for v in values if values.count(v) > 1})]
    if faults:
        raise SettingsError("\n  ".join([f"{path}: {len(faults)} faults", *faults]))
    return found
