"""Have failed items tried again: their shards are made stale, everything else in them is carried over.

python -m workflow_scripts.retry_failed && snakemake ...
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku.store import rows
from kaiku.workspace.before import ITEM_ARTEFACTS, link_artefacts


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    link_artefacts()
    count = 0
    for path in (path for root in ITEM_ARTEFACTS for path in sorted(Path(root).rglob("*.parquet"))):
        statuses = rows.read(path, columns=["status"]).column("status").to_pylist()
        failed = statuses.count(rows.STATUS_FAILED)
        if failed:
            path.unlink()
            count += failed
            print(f"{path}: {failed} failed items will be tried again", file=sys.stderr)
    print(f"{count} items to try again", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
