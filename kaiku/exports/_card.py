"""What a dataset's page says of it: licences, counts, and whether one may host it again."""

import json
import re
from collections.abc import Sequence

from kaiku.exports import SPLITS, About, Corpus

LIBRARIES: tuple[str, ...] = ()

_OPEN = re.compile(
    r"cc0(-[\d.]+)?|public[ -]domain|cc-by(-nc)?(-sa)?(-[\d.]+)?|mit|apache-2\.0|bsd-[23]-clause|odc-by|pddl",
    re.IGNORECASE,
)
_KNOWN_TO_HUB = re.compile(r"cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|mit|apache-2\.0|bsd-[23]-clause|odc-by|pddl")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def may_be_hosted(licence: str) -> bool:
    """Whether a licence is known to let anyone hand on clips cut from the corpus; one that has to be read does not."""
    return bool(_OPEN.fullmatch(licence.strip().replace(" ", "-")))


def held_back(corpora: Sequence[Corpus]) -> list[Corpus]:
    """Corpora that are not known to allow it."""
    return [corpus for corpus in corpora if not may_be_hosted(corpus.licence)]


def card(about: About, files: dict[str, str]) -> str:
    """README.md of a dataset repository. files: pattern of the files by the name of their split."""
    return "\n".join([*_front(about, files), "", *_text(about)]) + "\n"


def _front(about: About, files: dict[str, str]) -> list[str]:
    """YAML, each value as JSON, which YAML reads."""
    said = [
        f"pretty_name: {_quoted(about.name)}",
        f"license: {_hub_licence(about.corpora)}",
        f"language: {_quoted(sorted({corpus.language.split('-')[0] for corpus in about.corpora}))}",
        'task_categories: ["text-to-speech", "automatic-speech-recognition"]',
        f"size_categories: {_quoted([_size(sum(about.clips.values()))])}",
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    said += [line for split, path in files.items() for line in (f"  - split: {split}", f"    path: {_quoted(path)}")]
    return ["---", *said, "---"]


def _text(about: About) -> list[str]:
    said = [f"# {about.name}", "", f"Clips of dataset `{about.dataset}`, cut, checked and selected by Kaiku.", ""]
    if closed := held_back(about.corpora):
        named = ", ".join(f"{corpus.name} ({corpus.licence or 'no licence given'})" for corpus in closed)
        said += [f"**Not for re-hosting**: {named}. Its terms have to be read, and may not allow it.", ""]
    said += ["| split | clips | hours |", "|---|---|---|"]
    said += [
        f"| {split} | {about.clips[split]} | {about.seconds[split] / 3600:.2f} |"
        for split in SPLITS
        if about.clips.get(split)
    ]
    said += ["", "| corpus | language | licence |", "|---|---|---|"]
    said += [f"| {c.name} | {c.language} | {c.licence or 'none given'} |" for c in about.corpora]
    return said


def _hub_licence(corpora: Sequence[Corpus]) -> str:
    """The one licence of all corpora, as the hub calls it; `other` where they differ, or it does not know it."""
    found = {corpus.licence.strip().lower().replace(" ", "-") for corpus in corpora}
    return next(iter(found)) if len(found) == 1 and _KNOWN_TO_HUB.fullmatch(next(iter(found))) else "other"


def _size(clips: int) -> str:
    return next((name for most, name in _SIZES if clips < most), "n>1M")


def _quoted(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
