"""Let a dataset pass, or say which of its gates it does not pass; only where `gates.enforce` asks for it.

python -m workflow_scripts.pass_gates --dataset otso --account results/datasets/otso/account.json \
    --out results/datasets/otso/passed.json
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.selection.gates import refuse
from kaiku.store import atomic
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Judge one dataset by its account."""
    found = json.loads(args.account.read_text())["gates"]
    refuse(args.dataset, found)
    atomic.write_json(args.out, found)
    return Counts(computed=1)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--dataset", required=True)
    for name in ("--account", "--out"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
