"""Say whether this machine and workspace are up to Kaiku, and what to do where they are not; status 1 on a problem.

python -m workflow_scripts.check_machine [--workspace ../aino] [--base /models/openaudio-s1-mini] [--offline] [--json]
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.machine import Finding, access, files, hardware, sizes, software, worst
from workflow_scripts import path

KAIKU = Path(__file__).resolve().parents[1]
MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}


def findings(workspace: Path, model: Path | None, *, offline: bool) -> Iterator[Finding]:
    """Everything that is looked at, in the order of what one would mend first."""
    yield from software.findings(KAIKU)
    yield hardware.processors()
    yield hardware.memory()
    yield from hardware.disks(workspace)
    cards, why_none = hardware.cards()
    yield from hardware.gpus(cards, why_none)
    found = None if model is None else _base(model)
    if found:
        yield found
    smallest = min((card.memory for card in cards if card.memory), default=0)
    if smallest and (found is None or found.status == "ok"):
        yield from sizes.findings(smallest, model)
    yield from files.findings(workspace)
    yield files.language()
    yield from access.findings(workspace, offline=offline)


def _base(model: Path) -> Finding:
    from kaiku.newcomer import base  # here, so that all else is told where a package is missing

    try:
        found = base.recognise(model)
    except KaikuError as error:
        expected = f" (expected: {error.expected})" if error.expected else ""
        return Finding("base", error.found + expected, "problem", error.remedy or "Mend BASE=.")
    return Finding("base", f"{model}: family {found.family}, codec {found.codec}, licence {found.licence}")


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=path, default=Path(), help="default: the current folder")
    parser.add_argument("--base", type=path, help="folder of a checkpoint, to reckon what fits beside it")
    parser.add_argument("--offline", action="store_true", help="do not ask the hub")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args(argv)
    try:
        if not args.workspace.is_dir():
            raise KaikuError(f"WORKSPACE={args.workspace} is no folder", remedy="Mend it, or make one with `make new`.")
        found = list(findings(args.workspace, args.base, offline=args.offline))
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({"status": worst(found), "findings": [asdict(one) for one in found]}, indent=1))
    else:
        print("\n".join(line for one in found for line in lines(one)))
        counts = [(status, sum(one.status == status for one in found)) for status in ("problem", "warning")]
        told = ", ".join(f"{count} {status}{'' if count == 1 else 's'}" for status, count in counts if count)
        print(f"\n{told or 'Nothing is amiss'}.")
    return int(worst(found) == "problem")


def lines(finding: Finding) -> Iterator[str]:
    """A finding as a terminal shows it: its mark, what was found, and below it what to do."""
    head = f"{MARKS[finding.status]:<8} {finding.topic:<10} "
    yield from textwrap.wrap(finding.what, 118, initial_indent=head, subsequent_indent=" " * len(head))
    if finding.remedy:
        yield from textwrap.wrap(f"-> {finding.remedy}", 118, initial_indent=" " * 20, subsequent_indent=" " * 23)


if __name__ == "__main__":
    raise SystemExit(main())
