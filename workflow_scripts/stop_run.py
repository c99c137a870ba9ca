"""End the run that works in a workspace: its jobs save what they have, and the next call goes on from there.

python -m workflow_scripts.stop_run
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.workspace.stop import left_behind, stop


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path(), help="the workspace")
    parser.add_argument("--patience", type=float, default=600, help="seconds to wait for jobs that save, e.g. training")
    args = parser.parse_args(argv)
    try:
        ended = stop(args.directory / "work/run.lock", args.patience)
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if ended is None:
        print("No run is working in this workspace.")
    else:
        stopped = ", ".join(map(str, ended.programs)) or "no job was at work"
        print(f"The run has ended (process {ended.run.pid}; {stopped}). The same command goes on from here.")
    for program in left_behind(args.directory):
        print(
            f"An earlier run left {program} behind; the next call waits for it, `kill {program.process.pid}` ends it."
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
