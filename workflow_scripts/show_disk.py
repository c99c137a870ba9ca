"""Say what the workspace takes on the disk, kind by kind; a file with several names is counted once.

python -m workflow_scripts.show_disk [--json]
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict

from kaiku.housekeeping import accounts, shown


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="for programs, sizes in bytes")
    args = parser.parse_args(argv)
    found, disk = accounts.accounts(), shutil.disk_usage(".")
    if args.json:
        kinds = [asdict(account) for account in found]
        print(json.dumps({"kinds": kinds, "free": disk.free, "disk": disk.total}, indent=1))
        return 0
    total = sum(account.bytes for account in found)
    lines = [
        (a.kind, f"{a.files:,}", shown.size(a.bytes), f"{a.bytes / max(total, 1):.1%}", shown.size(a.linked))
        for a in found
    ]
    lines.append(("together", f"{sum(a.files for a in found):,}", shown.size(total), "", ""))
    print(shown.table(("", "files", "bytes", "share", "counted above"), lines, right=frozenset({1, 2, 3, 4})))
    print(f"{shown.size(disk.free)} of {shown.size(disk.total)} are free on this disk; `make clean-work` frees some.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
