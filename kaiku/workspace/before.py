"""Artefacts as they were before a run: linked aside, because Snakemake deletes a job's outputs before it starts.

So a cache that was pulled, and that no job on this machine ever made, carries over clip by clip as well.
"""

from pathlib import Path

from kaiku.store import atomic

ITEM_ARTEFACTS = (
    "data/segments",
    "data/transcripts",
    "data/measures",
    "data/text_measures",
    "data/descriptions",
    "data/tokens",
)
FOLDER = Path("work/before")


def link_artefacts(workspace: Path = Path()) -> list[str]:
    """Hard-link every item artefact into `work/before/`; returns those that were not linked yet."""
    linked = []
    for root in ITEM_ARTEFACTS:
        for path in (workspace / root).rglob("*"):
            if path.is_file() and not path.name.startswith(".") and path.stat().st_size:
                target = workspace / FOLDER / path.relative_to(workspace)
                if not (target.exists() and target.samefile(path)):
                    atomic.link(path, target)
                    linked.append(path.relative_to(workspace).as_posix())
    return linked


def of(output: Path) -> Path:
    """Folder in which the earlier state of an output stands, if there is one."""
    return FOLDER / output.parent
