"""Record the artefacts that stand here for git and DVC, so that another machine can pull them; sends nothing itself.

python -m workflow_scripts.snapshot
"""

import argparse
import sys
from collections.abc import Sequence

from kaiku.errors import KaikuError
from kaiku.job import read_settings
from kaiku.workspace import start, versioning


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    try:
        settings = read_settings(start.RESOLVED)
        made = versioning.snapshot(start.settled_outputs(settings, start.fitted_codecs(settings)))
        versioning.set_merge_driver(sys.executable)
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if made.refused:
        print("left out, because they are stale, not whole, or were edited; a run makes them again:", file=sys.stderr)
        for path in made.refused:
            print(f"  {path}", file=sys.stderr)
    print(f"{made.recorded} artefacts recorded, {made.new_files} files new to DVC's cache. Now:\n")
    if made.for_git:
        print(f"git add {' '.join(made.for_git)}\ngit commit -m 'Snapshot'")
    print("dvc push")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
