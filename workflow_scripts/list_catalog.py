"""List the corpora and base models of the catalogue, all or those that some words are found in.

python -m workflow_scripts.list_catalog telugu
"""

import argparse
from collections.abc import Sequence

from kaiku.fetch import catalog_page
from kaiku.housekeeping import shown


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status, 1 where nothing is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="each has to be in its name, title, language, use or licence")
    args = parser.parse_args(argv)
    found = catalog_page.lines(args.words)
    if not found:
        print(f"Nothing in the catalogue has {' '.join(args.words)!r} in it.")
        return 1
    print(shown.table(catalog_page.HEAD, found, right=frozenset({2, 3})))
    print("Write `catalog: NAME` under a corpus or base; docs/catalog.md says more of each, and what `checked` means.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
