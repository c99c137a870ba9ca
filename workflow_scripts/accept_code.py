"""Accept an edit that changes no number: edited computing modules keep their version where a sample comes out the same.

python -m workflow_scripts.accept_code --workspace . --sample 24 --since HEAD
"""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.acceptance import locked
from kaiku.acceptance.examination import Examination, Verdict
from kaiku.errors import KaikuError
from kaiku.store import code
from kaiku.workspace.plan import dry_run
from kaiku.workspace.start import RESOLVED
from workflow_scripts import path

REMEDY = (
    "If results are to change, `make lock-code` gives these modules their next version, and what they made is computed "
    "again everywhere. If not, mend the edit, or show it in a workspace whose artefacts were made before it."
)


def accept(args: argparse.Namespace) -> int:
    """Examine the edited modules in one workspace, and lock those that compute what they did; 1 if any is refused."""
    edited = code.edited()
    if not edited:
        print("No listed module was edited.", file=sys.stderr)
        return 0
    verdicts = examine(args, edited)
    for verdict in verdicts:
        print(verdict)
    accepted = {v.module: (code.read_lock()[v.module][0], code.code_digest(v.module)) for v in verdicts if v.accepted}
    if accepted:
        code.write_lock({**code.read_lock(), **accepted})
    refused = len(verdicts) - len(accepted)
    print(f"{len(accepted)} of {len(verdicts)} edited modules accepted under the version they had.")
    if refused:
        print(f"{refused} not accepted. {REMEDY}", file=sys.stderr)
    return 1 if refused else 0


def examine(args: argparse.Namespace, edited: Sequence[str]) -> list[Verdict]:
    """Compare what stands in the workspace with what the code makes of it now."""
    before = args.before and args.before.resolve()
    os.chdir(args.workspace)
    jobs = dry_run(["--forceall", *args.snakemake]).jobs
    settings = job.read_settings(RESOLVED)
    programs = {rule: importlib.import_module(f"workflow_scripts.{rule}") for rule in stages.of(settings)}
    with tempfile.TemporaryDirectory(prefix="accept-", dir="work") as scratch:
        before = before or locked.from_git(args.since, Path(scratch, "before"))
        locked.check(before, edited)
        examination = Examination(
            settings, jobs, programs, Path(scratch), sample=args.sample, seed=args.seed, training=args.training
        )
        return examination.verdicts(edited, before)


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=path, default=Path(), help="its artefacts must be of the locked code")
    parser.add_argument("--sample", type=int, default=24, help="items of each stage for each module")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws another sample")
    parser.add_argument("--training", action="store_true", help="repeat trainings, whole, too")
    parser.add_argument("--since", default="HEAD", help="the commit at which the code was as it is locked")
    parser.add_argument("--before", type=path, help="instead of a commit, a folder with the sources as they were")
    parser.add_argument("--snakemake", nargs=argparse.REMAINDER, default=[], help="further arguments, --configfile...")
    try:
        return accept(parser.parse_args(argv))
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
