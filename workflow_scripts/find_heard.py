"""List what heard a speaker: datasets, packs, codecs, models and archives, and how to take them out.

python -m workflow_scripts.find_heard p225 --corpus vctk
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.errors import KaikuError
from kaiku.planning.heard_speaker import heard, page


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=Path("work/settings.json"), help="the resolved configuration")
    parser.add_argument("speaker", help="as the corpus' manifests name them")
    parser.add_argument("--corpus", help="where they speak, if the name is that of several people")
    parser.add_argument("--json", action="store_true", help="for programs: as JSON")
    args = parser.parse_args(argv)
    try:
        if not args.speaker:
            raise KaikuError("no speaker is named", remedy="Call `make heard SPEAKER=name`.")
        found = heard(job.read_settings(args.settings), args.speaker, args.corpus)
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else page(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
