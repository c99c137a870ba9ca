"""Free what can go in work/ without loss of a result: the oldest first, down to a size, or what is old enough.

python -m workflow_scripts.clean_work --dry-run                 # what would go
python -m workflow_scripts.clean_work --keep-gb 20              # keep at most so much of it
python -m workflow_scripts.clean_work --older-days 30           # only what is older
"""

import argparse
import sys
import time
from collections.abc import Sequence

from kaiku.errors import KaikuError
from kaiku.housekeeping import cleaning, quiet, shown


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-gb", type=float, metavar="GB", help="go on until what can go takes so much at most")
    parser.add_argument("--older-days", type=float, default=0, metavar="DAYS", help="leave what is younger")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and leave it")
    args = parser.parse_args(argv)
    try:
        quiet.take_workspace()
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    keep = None if args.keep_gb is None else round(args.keep_gb * 1e9)
    found = cleaning.disposables()
    chosen = cleaning.choose(found, time.time(), keep_bytes=keep, older_s=args.older_days * 86400)
    freed = cleaning.freed_by_kind(chosen)
    if not args.dry_run:
        cleaning.remove(chosen)
    lines = [(kind, str(n), shown.size(size), cleaning.LOSSES[kind]) for kind, (n, size) in freed.items()]
    total = shown.size(sum(size for _, size in freed.values()))
    if lines:
        print(shown.table(("", "things", "freed", "what is lost with it"), lines, right=frozenset({1, 2})))
    print(f"{'Would free' if args.dry_run else 'Freed'} {total}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
