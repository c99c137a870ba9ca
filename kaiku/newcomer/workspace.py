"""A new workspace on the disk: whole or not at all, and never over one that is there."""

import json
import os
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.store import atomic
from kaiku.workspace.versioning import GIT_LINES

SNAKEFILE = """\
# The workflow of Kaiku, working in this folder, with the configuration that stands here.
configfile: "config/config.yaml"


module kaiku:
    snakefile:
        {snakefile}
    config:
        config


use rule * from kaiku


# Of a module, Snakemake runs these only where they are called: the workspace's lock and caches hang on them.
onstart:
    kaiku.onstart()


onsuccess:
    kaiku.onsuccess()


onerror:
    kaiku.onerror()
"""


def refuse_place(target: Path, data: Path) -> None:
    """KaikuError where a workspace cannot stand at `target`."""
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        what = "is a workspace already" if (target / "config").exists() else "is there and not empty"
        raise KaikuError(f"WHERE={target} {what}", remedy="Name another folder with WHERE=; nothing was changed.")
    place, raw = target.resolve(), data.resolve()
    if place == raw or raw in place.parents:
        raise KaikuError(
            f"WHERE={target} lies in the folder of the recordings",
            expected="a folder of its own: what belongs to the recordings is never written to",
            remedy="Name another folder with WHERE=.",
        )


def write(target: Path, configuration: str, kaiku: Path) -> None:
    """Write a workspace: configuration, Snakefile, profiles, what git leaves out. kaiku: the workflow's folder."""
    try:
        with atomic.folder(target.resolve()) as folder:  # what a link leads to, not the link
            atomic.write_text(folder / "config" / "config.yaml", configuration)
            snakefile = json.dumps(str(kaiku / "Snakefile"), ensure_ascii=False)
            atomic.write_text(folder / "Snakefile", SNAKEFILE.format(snakefile=snakefile))
            atomic.write_text(folder / ".gitignore", "\n".join([".env", *GIT_LINES[".gitignore"], ""]))
            os.symlink(kaiku / "profiles", folder / "profiles")  # Snakemake looks for profiles/default here
    except OSError as error:
        raise KaikuError(
            f"WHERE={target} cannot be written ({error.strerror})",
            remedy="Mend its permissions, or name another folder.",
        ) from error
