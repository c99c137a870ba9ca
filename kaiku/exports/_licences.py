"""LICENCES of an export: under which terms each part of it stands."""

from kaiku.exports import About
from kaiku.report.licence import licence_warnings

LIBRARIES: tuple[str, ...] = ()


def warnings(about: About) -> list[str]:
    """What must be said aloud."""
    return licence_warnings((f"corpus {corpus.name}", corpus.licence) for corpus in about.corpora)


def licences(about: About) -> str:
    """The text of the file."""
    said = [f"Clips of dataset {about.dataset} come from these corpora; each stands under its own licence.", ""]
    said += [f"{corpus.name}: {corpus.licence or 'no licence is given'}" for corpus in about.corpora]
    if found := warnings(about):
        said += ["", *found]
    return "\n".join(said) + "\n"
